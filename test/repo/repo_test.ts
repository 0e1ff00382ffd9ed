import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { catalogText, importsText, lightCatalogText } from "../../build/catalog.ts";
import { exportMap, jsrConfig } from "../../build/exports.ts";
import { VERSION } from "../../core/base/version.ts";
import { catalog } from "../../plugins/catalog.ts";
import { RUNTIME_VERSION } from "../../runtimes/host/host.ts";
import { architectures } from "../formula.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const json = (name: string) => JSON.parse(readFileSync(join(root, name), "utf8"));
const sources = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((f) => join(folder, f))
    .filter((f) => f.endsWith(".ts") && !f.startsWith("core/kernels/source"));
const files = [
  ...["core", "formats", "blocks", "plugins", "conformance", "runtimes", "recipes"].flatMap(sources),
  "kit.ts",
  "mod.ts",
];
const importsOf = (file: string): string[] =>
  [
    ...readFileSync(join(root, file), "utf8").replaceAll(/^ \*.*$/gm, "").matchAll(
      /^(?:import|export)[^;"]*?from "([^"]+)"|import\("([^"]+)"\)|^import "([^"]+)"/gm,
    ),
  ].map((m) => m[1] ?? m[2] ?? m[3] ?? "");
const inTree = (file: string, specifier: string): string => relative(root, resolve(root, dirname(file), specifier));

/** Plugins that are still made of another plugin, or name its options. This list may only shrink. */
const madeOfOthers: readonly string[] = [
  "plugins/collators/denoising.ts imports ./seq2seq.ts",
  "plugins/collators/pretraining.ts imports ./masked_lm.ts",
  "plugins/losses/distillation_kl.ts imports ./kl_div.ts",
  "plugins/losses/focal_binary.ts imports ./focal.ts",
  "plugins/losses/smooth_l1.ts imports ./huber.ts",
  "plugins/optimizers/ema.ts imports ./adamw.ts",
  "plugins/tokenizers/transformers.ts imports ./hf.ts",
];

/** Blocks that plugins of every kind may use. The others are of one kind. */
const sharedBlocks: readonly string[] = ["options", "nats", "page"];

/** Files that build/catalog.ts writes. */
const generated = new Set(["plugins/catalog.ts", "plugins/light_catalog.ts", "plugins/imports.ts"]);

const plugins = new Set(
  Object.values(exportMap()).map((path) => path.slice(2)).filter((f) => f.startsWith("plugins/") && !generated.has(f)),
);

/** plugins/metrics/bleu.ts and plugins/metrics/bleu/tokenizers.ts → metrics. */
const folderOf = (file: string): string => file.split("/")[1] ?? "";

/** The kind of the plugins in a folder of plugins/. */
const kindOf = (folder: string): string =>
  sources(`plugins/${folder}`).map((f) => /: Factory<\s*"(\w+)"/.exec(readFileSync(join(root, f), "utf8"))?.[1])
    .find((kind) => kind !== undefined) ?? "";

describe("the repository", () => {
  it("exports the same in package.json and deno.json, and all there is", () => {
    assert.deepEqual(json("package.json").exports, exportMap());
    assert.deepEqual(json("deno.json").exports, exportMap());
  });
  it("lets no promise go that may fail: what nobody waits for has a catch", () => {
    // One that rejects would end the process of a server or runner.
    for (const file of files.filter((file) => !file.startsWith("recipes"))) {
      const text = readFileSync(join(root, file), "utf8");
      const names = new Set(
        [...text.matchAll(/(?:const (\w+)(?:: [^=]+)? = async\b|async function (\w+))/g)].map((m) => m[1] ?? m[2]),
      );
      for (const { 1: name, index } of text.matchAll(/\bvoid (\w+)\(/g)) {
        if (!names.has(name)) continue;
        let [at, depth] = [text.indexOf("(", index), 0];
        do depth += text[at] === "(" ? 1 : text[at] === ")" ? -1 : 0; while (depth > 0 && ++at < text.length);
        const line = text.slice(0, index).split("\n").length;
        assert.match(text.slice(at + 1, at + 9), /^\s*\.catch\(/, `${file}:${line}: void ${name}(...)`);
      }
    }
  });
  it("is to JSR what it is to npm", () => assert.deepEqual(json("jsr.json"), jsrConfig()));
  it("asks for the runtime that it is checked with", () => {
    const { devDependencies, peerDependencies, peerDependenciesMeta } = json("package.json");
    assert.equal(devDependencies["onnxruntime-node"], RUNTIME_VERSION);
    assert.equal(peerDependencies["onnxruntime-node"], RUNTIME_VERSION);
    for (const name of Object.keys(peerDependencies)) assert.deepEqual(peerDependenciesMeta[name], { optional: true });
  });
  it("has one version", () =>
    assert.deepEqual([json("package.json").version, json("deno.json").version], [VERSION, VERSION]));
  it("has every plugin in its catalog", async () => {
    // Formatting may differ; the names must not.
    const names = (text: string) =>
      [...text.matchAll(/import \{ (\w+) as (\w+) \} from "([^"]+)"/g)].map((m) => m.slice(1).join(" ")).sort();
    assert.deepEqual(names(readFileSync(join(root, "plugins/catalog.ts"), "utf8")), names(catalogText()));
    assert.deepEqual(names(readFileSync(join(root, "plugins/light_catalog.ts"), "utf8")), names(lightCatalogText()));
    const files = (text: string) =>
      [...text.matchAll(/import\("([^"]+)"\)[^.]*\.then\(\(m\) => m\.(\w+)\)/g)].map((m) => m.slice(1).join(" "));
    assert.deepEqual(files(readFileSync(join(root, "plugins/imports.ts"), "utf8")), files(await importsText()));
  });
  it("names plugins in kebab-case, each under its own name", () => {
    for (const [kind, entries] of Object.entries(catalog)) {
      for (const [name, entry] of Object.entries(entries)) {
        assert.match(name, /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
        assert.deepEqual([entry.kind, entry.use], [kind, name]);
      }
    }
  });
});

describe("imports", () => {
  it("core reaches nothing outside core", () => {
    for (const file of files.filter((f) => f.startsWith("core/"))) {
      for (const specifier of importsOf(file)) {
        assert.ok(specifier.startsWith("."), `${file} imports ${specifier}`);
        assert.match(inTree(file, specifier), /^core\//, `${file} imports ${specifier}`);
      }
    }
  });
  it("formats reach core and each other", () => {
    for (const file of files.filter((f) => f.startsWith("formats/"))) {
      for (const specifier of importsOf(file)) {
        assert.match(inTree(file, specifier), /^(core|formats)\//, `${file} imports ${specifier}`);
      }
    }
  });
  it("plugins reach core, formats, blocks and helpers of their kind; blocks reach core and formats", () => {
    const blocks = (file: string) => [...sharedBlocks, kindOf(folderOf(file))].map((name) => `blocks/${name}/mod.ts`);
    for (const file of files.filter((f) => f.startsWith("plugins/") && !generated.has(f))) {
      const allowed = blocks(file);
      for (const specifier of importsOf(file).filter((s) => s.startsWith("."))) {
        const to = inTree(file, specifier);
        const isBeside = to.startsWith(`plugins/${folderOf(file)}/`);
        assert.ok(isBeside || /^(core|formats)\//.test(to) || allowed.includes(to), `${file} imports ${specifier}`);
      }
    }
    for (const file of files.filter((f) => f.startsWith("blocks/"))) {
      for (const specifier of importsOf(file).filter((s) => s.startsWith("."))) {
        const to = inTree(file, specifier);
        const isBeside = dirname(to) === dirname(file);
        const allowed = isBeside || /^(core|formats)\//.test(to) || to === "blocks/options/mod.ts";
        assert.ok(allowed, `${file} imports ${specifier}`);
      }
    }
  });
  it("a folder of a kind shows its plugins: helpers are in a folder named after theirs, or in blocks/", () => {
    for (const file of files.filter((f) => f.startsWith("plugins/") && !generated.has(f))) {
      const [, folder, name = "", ...inside] = file.split("/");
      if (inside.length === 0) {
        assert.ok(plugins.has(file), `${file} is no plugin: move it into a folder or to blocks/`);
      } else {
        const served = [...plugins].some((f) => dirname(f) === `plugins/${folder}` && basename(f).startsWith(name));
        assert.ok(served, `plugins/${folder}/${name}/ is named after no plugin beside it`);
        assert.ok(!/^export const \w+: Factory</m.test(readFileSync(join(root, file), "utf8")), `${file} is hidden`);
      }
    }
  });
  it("plugins do not import each other", () => {
    const crossed: string[] = [];
    for (const file of files.filter((f) => f.startsWith("plugins/") && !generated.has(f))) {
      for (const specifier of importsOf(file).filter((s) => s.startsWith("."))) {
        if (plugins.has(inTree(file, specifier))) {
          crossed.push(`${file} imports ${specifier}`);
        }
      }
    }
    assert.deepEqual(crossed.sort(), madeOfOthers);
  });
  it("families of models are known to their own files and to tokenizers", () => {
    const types = architectures.flatMap(({ modelTypes }) => [...modelTypes]);
    // AdapterHub calls a way to draw weights so.
    const allowed =
      /initWeights: "bert"|initWeights: "bert" \||picklist\(\["bert"|initWeights === "bert"|"bert": normals/;
    const named = files.filter((f) => /^(core|formats|plugins)\//.test(f) && !generated.has(f))
      .filter((f) => !/^plugins\/(architectures|models|tokenizers)\//.test(f))
      .flatMap((file) =>
        readFileSync(join(root, file), "utf8").replaceAll(/^ *(\/\*)?\*.*$/gm, "").split("\n")
          .filter((line) => !allowed.test(line) && types.some((type) => line.includes(`"${type}"`)))
          .map((line) => `${file}: ${line.trim()}`)
      );
    assert.deepEqual(named, []);
  });
  it("the kit re-exports core and the schemas of options, and the checks of plugins reach core and the kit", () => {
    for (const file of files.filter((f) => f === "kit.ts" || f.startsWith("conformance/"))) {
      for (const specifier of importsOf(file)) {
        assert.ok(specifier.startsWith("."), `${file} imports ${specifier}`);
        const to = inTree(file, specifier);
        const allowed = file === "kit.ts" ? /^(core\/|blocks\/options\/)/ : /^(core\/|conformance\/|kit\.ts$)/;
        assert.match(to, allowed, `${file} imports ${specifier}`);
      }
    }
    const text = readFileSync(join(root, "kit.ts"), "utf8").replaceAll(/^ ?\*.*$|^\/\/.*$|^\/\*\*$/gm, "");
    assert.doesNotMatch(text, /\b(?:const|function|class|let|interface) /, "the kit re-exports, and defines nothing");
  });
  it("nobody but `attune plugins --check` carries the checks of plugins", () => {
    const carriers = files.filter((f) => !f.startsWith("conformance/")).filter((file) =>
      importsOf(file).some((s) => s.startsWith(".") && inTree(file, s).startsWith("conformance/"))
    );
    assert.deepEqual(carriers, ["runtimes/host/plugin_checks.ts"]);
    const atOnce = files.filter((file) => /from "[^"]*plugin_checks\.ts"/.test(readFileSync(join(root, file), "utf8")));
    assert.deepEqual(atOnce, [], "they are loaded where they are asked for");
  });
  it("only hosts reach the machine", () => {
    for (const file of files.filter((f) => !f.startsWith("runtimes/") && !f.startsWith("recipes/"))) {
      assert.deepEqual(importsOf(file).filter((s) => s.startsWith("node:") || s.startsWith("onnxruntime")), [], file);
    }
  });
  it("runtimes and recipes are reached by none below them", () => {
    for (const file of files.filter((f) => f.startsWith("runtimes/"))) {
      for (const specifier of importsOf(file).filter((s) => s.startsWith("."))) {
        assert.doesNotMatch(inTree(file, specifier), /^(recipes|test|bench|build)\//, `${file} imports ${specifier}`);
      }
    }
  });
  it("have no cycles that a value passes through", () => {
    // Type-only imports are erased and may go round.
    const values = (file: string): string[] => {
      const text = readFileSync(join(root, file), "utf8").replaceAll(/^ \*.*$/gm, "");
      return [...text.matchAll(/^(?:import|export)\s+(?!type)([^;]*?)\s*from "(\.[^"]+)"/gm)]
        .filter(([, names = ""]) =>
          !/^\{[^}]*\}$/s.test(names) ||
          names.slice(1, -1).split(",").some((n) => n.trim() !== "" && !n.trim().startsWith("type "))
        )
        .map((m) => inTree(file, m[2] ?? ""));
    };
    const state = new Map<string, "open" | "done">();
    const visit = (file: string, path: readonly string[]): void => {
      if (state.get(file) === "done") return;
      assert.notEqual(state.get(file), "open", `cycle: ${[...path.slice(path.indexOf(file)), file].join(" → ")}`);
      state.set(file, "open");
      for (const next of values(file)) visit(next, [...path, file]);
      state.set(file, "done");
    };
    for (const file of files) visit(file, []);
  });
});

describe("documentation", () => {
  it("every file says what it is, every export too", () => {
    const missing: string[] = [];
    const doors = new Set(Object.values(exportMap()).map((path) => path.replace("./", "")));
    for (const file of files) {
      const text = readFileSync(join(root, file), "utf8");
      // The tag is for tools that make documentation, which begin at the doors.
      const begins = doors.has(file) ? /^\/\*\*[\s\S]*?@module/ : /^\/\*\*/;
      if (!begins.test(text)) missing.push(`${file}: ${doors.has(file) ? "@module" : "what it is"}`);
      for (
        const match of text.matchAll(
          /^export (?:declare )?(?:async )?(?:function\*?|const|interface|type|class) (\w+)/gm,
        )
      ) {
        if (!/\*\/\s*$/.test(text.slice(0, match.index))) missing.push(`${file}: ${match[1]}`);
      }
    }
    assert.deepEqual(missing, []);
  });
  it("every plugin has an example", () => {
    const without = Object.values(exportMap()).filter((f) => f.startsWith("./plugins/") && !generated.has(f.slice(2)))
      .filter((f) => !readFileSync(join(root, f), "utf8").includes("@example"));
    assert.deepEqual(without, []);
  });
});
