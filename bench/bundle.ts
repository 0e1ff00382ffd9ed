/**
 * Bytes of core with one recipe's plugins, minified and gzipped, dependencies left out: `node bench/bundle.ts`.
 * @module
 */
import { build } from "esbuild";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = fileURLToPath(new URL("..", import.meta.url));
const plugins = [
  "sources/pretrained",
  "tokenizers/hf",
  "objectives/sequence_classification",
  "data/reviews",
  "collators/padding",
  "heads/sequence",
  "losses/cross_entropy",
  "adapters/lora",
  "optimizers/adamw",
  "schedules/linear",
  "metrics/accuracy",
  "metrics/f1",
  "models/bert",
  "exporters/peft",
];
const contents = [
  'export { compose } from "./core/compose.ts";',
  'export { trainRun } from "./core/run/train.ts";',
  ...plugins.map((path) => `export * from "./plugins/${path}.ts";`),
].join("\n");
const { outputFiles } = await build({
  stdin: { contents, resolveDir: root, loader: "ts" },
  bundle: true,
  minify: true,
  format: "esm",
  platform: "neutral",
  packages: "external",
  write: false,
});
const bytes = outputFiles[0]?.contents ?? new Uint8Array();
console.log(`${bytes.length} bytes minified, ${gzipSync(bytes, { level: 9 }).length} gzipped`);
