/**
 * Bytes of core with one recipe's plugins, minified and gzipped, without dependencies: `node bench/bundle.ts`. Code
 * loaded only if needed (generation, distillation, the hub, ...) is counted separately. `--modules` lists what is
 * loaded at once by folder and by file, in minified bytes.
 */
import process from "node:process";
import { bundleSizes } from "./bundle_sizes.ts";

const { modules, firstStep: _, ...sizes } = await bundleSizes();
const names = {
  atOnce: "at once, in one file",
  untilStepOne: "with what step one loads",
  split: "at once, as esbuild splits it",
  later: "later, where needed",
} as const;
for (const [key, name] of Object.entries(names)) {
  const { minified, gzipped, files } = sizes[key as keyof typeof names];
  console.log(`${name}: ${minified} bytes minified, ${gzipped} gzipped, ${files} files`);
}
if (process.argv.includes("--modules")) {
  const bytesOf = new Map(modules);
  for (const [file, bytes] of modules) {
    const folder = `${file.split("/").slice(0, -1).join("/")}/`;
    bytesOf.set(folder, (bytesOf.get(folder) ?? 0) + bytes);
  }
  for (const [name, bytes] of [...bytesOf].sort((a, b) => b[1] - a[1])) console.log(`${bytes}  ${name}`);
}
