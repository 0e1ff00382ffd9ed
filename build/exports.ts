/**
 * The export maps of package.json, deno.json and jsr.json, made from the tree: `node build/exports.ts` writes them all.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import process from "node:process";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Returns the source file of each subpath: the core, the catalog, the hosts, and every plugin. */
export function exportMap(): Record<string, string> {
  const map: Record<string, string> = {
    ".": "./mod.ts",
    "./kit": "./kit.ts",
    "./kit/hub": "./core/hub/mod.ts",
    "./kit/quantization": "./formats/quantization/mod.ts",
    "./catalog": "./plugins/catalog.ts",
    "./imports": "./plugins/imports.ts",
    "./onnx": "./core/onnx/mod.ts",
    "./node": "./runtimes/host/node.ts",
    "./bun": "./runtimes/host/bun.ts",
    "./deno": "./runtimes/host/deno.ts",
    "./web": "./runtimes/host/web.ts",
    "./train": "./runtimes/host/train.ts",
    "./saved": "./runtimes/serve/saved.ts",
    "./serve": "./runtimes/serve/serve.ts",
    "./plugins": "./runtimes/host/plugin_packages.ts",
    "./conformance": "./conformance/mod.ts",
    "./edge": "./runtimes/serve/app.ts",
    "./edge/jobs-app": "./runtimes/jobs/jobs_app.ts",
    "./tokenizers/train-word-piece": "./plugins/tokenizers/hf/train_word_piece.ts",
    "./tokenizers/slim-tokenizer": "./plugins/tokenizers/hf/slim_tokenizer.ts",
  };
  for (const kind of readdirSync(`${root}blocks`).sort()) map[`./blocks/${kind}`] = `./blocks/${kind}/mod.ts`;
  for (
    const folder of readdirSync(`${root}plugins`, { withFileTypes: true }).filter((d) => d.isDirectory()).map((d) =>
      d.name
    ).sort()
  ) {
    for (const file of readdirSync(`${root}plugins/${folder}`).filter((f) => f.endsWith(".ts")).sort()) {
      const path = `./plugins/${folder}/${file}`;
      // Helpers of plugins have no subpath.
      if (!/^export const \w+: Factory</m.test(readFileSync(`${root}${path}`, "utf8"))) continue;
      map[`./${folder}/${file.slice(0, -3).replaceAll("_", "-")}`] = path;
    }
  }
  return map;
}

/** Returns jsr.json's content, for `npm run jsr`. It is a separate file because names at JSR have a scope. */
export function jsrConfig(): Record<string, unknown> {
  const read = (name: string): Record<string, Record<string, string>> => JSON.parse(readFileSync(root + name, "utf8"));
  const manifest = read("package.json");
  const { compilerOptions, version, license } = read("deno.json");
  const pinned = manifest.devDependencies ?? {};
  const needed = { ...manifest.dependencies, ...manifest.peerDependencies };
  const entries = Object.keys(needed).sort().map((name) => [name, `npm:${name}@${pinned[name] ?? needed[name]}`]);
  return {
    name: "@attune/attune",
    version,
    license,
    nodeModulesDir: "manual",
    exports: exportMap(),
    imports: Object.fromEntries(entries),
    compilerOptions,
    publish: {
      include: [
        "core",
        "formats",
        "blocks",
        "plugins",
        "conformance",
        "runtimes",
        "docs",
        "kit.ts",
        "mod.ts",
        "spec.schema.json",
        "*.md",
        "LICENSE",
        "jsr.json",
      ],
      exclude: ["core/kernels/source", "CONTRIBUTING.md"],
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of ["package.json", "deno.json"]) {
    const file = JSON.parse(readFileSync(root + name, "utf8"));
    file.exports = exportMap();
    writeFileSync(root + name, JSON.stringify(file, null, 2) + "\n");
  }
  writeFileSync(`${root}jsr.json`, JSON.stringify(jsrConfig(), null, 2) + "\n");
}
