/**
 * Bytes of core with one recipe's plugins, minified and gzipped, dependencies left out: `node bench/bundle.ts`. What is
 * loaded only where it is needed (generation, distillation, the hub, ...) is counted apart. `--modules` lists what is
 * loaded at once by folder and by file, in minified bytes.
 * @module
 */
import { build } from "esbuild";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = fileURLToPath(new URL("..", import.meta.url));
const plugins = [
  "models/pretrained",
  "tokenizers/hf",
  "tasks/sequence_classification",
  "data/reviews",
  "collators/padding",
  "heads/sequence",
  "losses/cross_entropy",
  "adapters/lora",
  "optimizers/adamw",
  "schedules/linear",
  "metrics/accuracy",
  "metrics/f1",
  "architectures/bert",
  "exporters/peft",
];
const contents = [
  'export { compose } from "./core/spec/compose.ts";',
  'export { trainRun } from "./core/run/train.ts";',
  ...plugins.map((path) => `export * from "./plugins/${path}.ts";`),
].join("\n");
const { outputFiles, metafile } = await build({
  absWorkingDir: root,
  stdin: { contents, resolveDir: root, loader: "ts", sourcefile: "recipe.ts" },
  bundle: true,
  minify: true,
  splitting: true,
  outdir: "out",
  metafile: true,
  format: "esm",
  platform: "neutral",
  packages: "external",
  write: false,
});
const { outputs } = metafile;
const loaded = new Set<string>();
const load = (file: string): void => {
  if (loaded.has(file)) return;
  loaded.add(file);
  for (const { path, kind } of outputs[file]?.imports ?? []) {
    if (kind === "import-statement" && outputs[path]) load(path);
  }
};
load(Object.keys(outputs).find((file) => outputs[file]?.entryPoint === "recipe.ts") ?? "");
for (const [name, own] of [["at once", true], ["later, where needed", false]] as const) {
  const files = outputFiles.filter(({ path }) => [...partsLoaded(own)].some((file) => path.endsWith(`/${file}`)));
  const bytes = files.reduce((n, { contents }) => n + contents.length, 0);
  const gzipped = files.reduce((n, { contents }) => n + gzipSync(contents, { level: 9 }).length, 0);
  console.log(`${name}: ${bytes} bytes minified, ${gzipped} gzipped, ${files.length} files`);
}
if (process.argv.includes("--modules")) {
  const bytesOf = new Map<string, number>();
  for (const { inputs } of partsLoaded(true).map((file) => outputs[file]).filter((part) => part !== undefined)) {
    for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
      const folder = `${file.split("/").slice(0, -1).join("/")}/`;
      for (const name of [file, folder]) bytesOf.set(name, (bytesOf.get(name) ?? 0) + bytesInOutput);
    }
  }
  for (const [name, bytes] of [...bytesOf].sort((a, b) => b[1] - a[1])) console.log(`${bytes}  ${name}`);
}

function partsLoaded(atOnce: boolean): string[] {
  return Object.keys(outputs).filter((file) => loaded.has(file) === atOnce);
}
