/** Nothing is exported for nobody: every exported value has an importer, where no user of the package reaches it. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { exportMap } from "../../build/exports.ts";

/** Values that only tests import, or nothing yet. This list may only shrink. */
const unused: readonly string[] = [
  "formats/peft/keys.ts plainKey",
  "core/engine/recompute.ts selectRecomputed",
  "core/files/finite_weights.ts DIGEST_IN_METADATA",
  "core/generate/sample.ts selectDrawable",
  "core/graph/autodiff.ts isDifferentiable",
  "core/loop/layout.ts plainLayout",
  "plugins/loggers/tensorboard/tfevents.ts crc32c",
  "plugins/loggers/tensorboard/tfevents.ts maskCrc",
  "runtimes/cli/limits.ts serveRates",
  "runtimes/http/guarded_fetch.ts allowedUrl",
  "runtimes/http/guarded_fetch.ts isPrivateAddress",
  "runtimes/host/host.ts RUNTIME_VERSION",
  "runtimes/host/host.ts packageDirectory",
  "runtimes/work/pool.ts defaultWorkLimits",
];

const root = fileURLToPath(new URL("../..", import.meta.url));
const sources = (folder: string): string[] =>
  (existsSync(join(root, folder)) ? readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }) : [])
    .map((file) => join(folder, file))
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts") && !file.startsWith("core/kernels/source"));
const read = (file: string): string => readFileSync(join(root, file), "utf8").replaceAll(/^ \*.*$/gm, "");

/** By file the names that others import, "*" for all of them. */
function importedNames(files: readonly string[]): ReadonlyMap<string, ReadonlySet<string>> {
  const all = new Map<string, Set<string>>();
  for (const file of files) {
    const text = read(file);
    const add = (path: string, names: readonly string[]): void => {
      const to = relative(root, resolve(root, dirname(file), path));
      all.set(to, new Set([...all.get(to) ?? [], ...names]));
    };
    for (const [, names = "", path = ""] of text.matchAll(/^(?:import|export)\s+([^;"]*?)\s*from "(\.[^"]+)"/gm)) {
      const listed = (/\{([^}]*)\}/.exec(names)?.[1] ?? "").split(",").map((name) =>
        name.trim().replace(/^type /, "").replace(/ as .*$/, "")
      );
      add(path, names.includes("*") ? ["*"] : listed);
    }
    for (const [, path = ""] of text.matchAll(/import\("(\.[^"]+)"\)/g)) add(path, ["*"]);
  }
  return all;
}

it("every exported value has an importer", () => {
  const files = ["core", "formats", "blocks", "plugins", "runtimes"].flatMap(sources);
  const doors = new Set(Object.values(exportMap()).map((path) => path.replace("./", "")));
  const imported = importedNames([
    ...files,
    ...["recipes", "bench", "build", "conformance"].flatMap(sources),
    ...readdirSync(root).filter((file) => file.endsWith(".ts")),
  ]);
  const without = files.flatMap((file) => {
    const names = imported.get(file);
    if (doors.has(file) || names?.has("*")) return [];
    const values = read(file).matchAll(/^export (?:async )?(?:abstract )?(?:function\*?|const|class) (\w+)/gm);
    return [...values].flatMap(([, name = ""]) => (names?.has(name) ? [] : [`${file} ${name}`]));
  });
  assert.deepEqual(without.filter((name) => !unused.includes(name)), [], "nobody imports them: do not export them");
  assert.deepEqual(unused.filter((name) => !without.includes(name)), [], "imported by now: take them from the list");
});
