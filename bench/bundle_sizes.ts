/** Sizes of a bundle of core and one recipe's plugins, without dependencies. */
import { build, type BuildOptions, type Metafile, type Plugin } from "esbuild";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The plugins of `recipes/sentiment.ts` with LoRA. */
export const plugins: readonly string[] = [
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

/** Lazily loaded modules that this recipe loads before its first step, in a page as on an ordinary machine. */
const beforeStepOne = [
  "core/run/train/train_tasks.ts",
  "core/run/plan/plan.ts",
  "core/engine/peak.ts",
  "plugins/tokenizers/hf/open_tokenizer.ts",
  "core/kernels/bytes.ts",
];

/** Sizes in bytes, minified and gzipped. */
export type Size = Readonly<{ minified: number; gzipped: number; files: number }>;

/** The sizes of a recipe. */
export type BundleSizes = Readonly<{
  /** Code reached by import statements, as one file, for bundlers that know what a page has loaded (Rollup, Vite). */
  atOnce: Size;
  /** The same, and what the first step loads in addition. */
  untilStepOne: Size;
  /** Code reached by import statements, as esbuild splits it: a file for each set of lazy parts with shared code. */
  split: Size;
  /** Code that runs load when they need it, as esbuild splits it. */
  later: Size;
  /** Files that the first step loads. */
  firstStep: readonly string[];
  /** Minified bytes of the code that is loaded at once, by file. */
  modules: ReadonlyMap<string, number>;
}>;

/** Bundles the recipe and measures its sizes. */
export async function bundleSizes(): Promise<BundleSizes> {
  const one = await bundle([], { plugins: [leaveOut] });
  const first = await bundle(beforeStepOne, { plugins: [leaveOut] });
  const parts = await bundle([], { splitting: true });
  const { outputs } = parts.metafile;
  const loaded = reached(outputs);
  const sizeOf = (atOnce: boolean): Size =>
    size(parts.outputFiles.filter(({ path }) => [...loaded].some((file) => path.endsWith(`/${file}`)) === atOnce));
  return {
    atOnce: size(one.outputFiles),
    untilStepOne: size(first.outputFiles),
    split: sizeOf(true),
    later: sizeOf(false),
    firstStep: Object.keys(first.metafile.inputs),
    modules: new Map(
      Object.values(one.metafile.outputs).flatMap(({ inputs }) =>
        Object.entries(inputs).map(([file, { bytesInOutput }]) => [file, bytesInOutput] as const)
      ),
    ),
  };
}

/** Leaves out dynamic imports. */
const leaveOut: Plugin = {
  name: "leave out",
  setup: ({ onResolve }) => {
    onResolve({ filter: /^\./ }, ({ kind, path }) => kind === "dynamic-import" ? { path, external: true } : undefined);
  },
};

type Output = Readonly<{ path: string; contents: Uint8Array }>;

async function bundle(
  more: readonly string[],
  options: BuildOptions,
): Promise<Readonly<{ outputFiles: readonly Output[]; metafile: Metafile }>> {
  const contents = [
    'export { compose } from "./core/spec/compose.ts";',
    'export { trainRun } from "./core/run/train/train.ts";',
    ...plugins.map((path) => `export * from "./plugins/${path}.ts";`),
    ...more.map((path) => `export * from "./${path}";`),
  ].join("\n");
  return await build({
    absWorkingDir: root,
    stdin: { contents, resolveDir: root, loader: "ts", sourcefile: "recipe.ts" },
    bundle: true,
    minify: true,
    outdir: "out",
    metafile: true,
    format: "esm",
    platform: "neutral",
    packages: "external",
    write: false,
    ...options,
  }) as Readonly<{ outputFiles: readonly Output[]; metafile: Metafile }>;
}

/** Returns the files that the recipe's own file imports. */
function reached(outputs: Metafile["outputs"]): ReadonlySet<string> {
  const loaded = new Set<string>();
  const load = (file: string): void => {
    if (loaded.has(file)) return;
    loaded.add(file);
    for (const { path, kind } of outputs[file]?.imports ?? []) {
      if (kind === "import-statement" && outputs[path]) load(path);
    }
  };
  load(Object.keys(outputs).find((file) => outputs[file]?.entryPoint === "recipe.ts") ?? "");
  return loaded;
}

function size(files: readonly Output[]): Size {
  return {
    minified: files.reduce((n, { contents }) => n + contents.length, 0),
    gzipped: files.reduce((n, { contents }) => n + gzipSync(contents, { level: 9 }).length, 0),
    files: files.length,
  };
}
