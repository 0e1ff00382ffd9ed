/** `attune merge`: merges several adapters into one, or adapters into their base. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { badValue, missing } from "../../core/base/errors.ts";
import { mergeAdapters, mergedAsOpened } from "../../formats/peft/merge/adapters.ts";
import { checkLone, openAdapter, type OpenedAdapter } from "../../formats/peft/merge/config.ts";
import { type MergedModel, mergeIntoBase } from "../../formats/peft/merge/into_base.ts";
import type { MergeOptions } from "../../formats/peft/merge/merged_adapter.ts";
import { type MergeMethod, mergeMethods } from "../../formats/peft/merge/methods.ts";
import { requantized } from "../../formats/peft/merge/requantized.ts";
import { writeMerged } from "../../formats/peft/merge/write_adapter.ts";
import { writeModel } from "../../formats/peft/merge/write_model.ts";
import { ggufIn } from "../../core/files/gguf_folder.ts";
import { missingIn } from "../../core/files/missing_folder.ts";
import { sharedTensors } from "../../core/run/open/shared_tensors.ts";
import { compose } from "../../core/spec/compose.ts";
import { encodedCheckpoint } from "../../core/run/open/accelerated.ts";
import { openRun } from "../../core/run/open/open.ts";
import { transposeConv1ds } from "../../core/run/open/quantized_base.ts";
import type { Checkpoint, Host, RunSpec, Store } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { modelFiles } from "../../blocks/model/mod.ts";
import { openModel } from "../../plugins/models/pretrained/open_model.ts";
import { hostHere } from "../host/train.ts";
import { checkWritable } from "../host/claim.ts";
import { exitCodes } from "./exit.ts";
import { judge, lostBy, openPackedBase } from "./requantize.ts";
import { writeWhole } from "../host/written.ts";
import { MODEL_CONFIG } from "../../formats/hf/model_config.ts";
import { adapterFiles } from "../../formats/peft/files.ts";
import { runFolders } from "../../formats/run/files.ts";

/** Options of the command, as commander gives them. */
export type MergeCommandOptions = Readonly<{
  method: string;
  base?: string;
  output: string;
  weights?: string;
  density?: string;
  svdRank?: string;
  majoritySign?: string;
  modulesFrom?: string;
  seed?: string;
  exact?: boolean;
  requantize?: boolean;
  verify?: boolean;
  maxLossDrift?: number;
}>;

/**
 * Merges a QA-LoRA adapter into the zero points of its base. A base that is not quantized is first quantized by the
 * accelerators of the run that the adapter's folder belongs to.
 */
async function mergeExactly(base: Checkpoint, path: string, adapter: OpenedAdapter, host: Host): Promise<MergedModel> {
  const { mergeIntoZeroPoints } = await import("../../formats/peft/merge/into_zero_points.ts");
  const spec = base.quantization ? undefined : specBeside(path);
  if (!spec?.accelerators) return mergeIntoZeroPoints(base, adapter);
  const open = await openRun(
    compose({ ...spec, model: { use: "pretrained", with: { path: base.label } } }, catalog),
    host,
  );
  return mergeIntoZeroPoints(encodedCheckpoint(open), adapter);
}

/** Reads the spec of the run that an adapter's folder belongs to; undefined: there is none. */
function specBeside(path: string): RunSpec | undefined {
  const file = join(resolve(path), "..", "spec.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) as RunSpec : undefined;
}

/** Throws AttuneError if options cannot be combined. */
function checkRequantize({ requantize, verify, maxLossDrift, exact, base }: MergeCommandOptions): void {
  if (maxLossDrift !== undefined && !verify) {
    throw badValue("merge", "--max-loss-drift", "no --verify", "it together with --requantize and --verify");
  }
  if (verify && !requantize) throw badValue("merge", "--verify", "no --requantize", "it together with --requantize");
  if (requantize && exact) throw badValue("merge", "--requantize", "--exact", "either --requantize or --exact");
  if (requantize && base === undefined) {
    throw badValue("merge", "--requantize", "no --base", "an adapter and its --base");
  }
}

/** Returns an adapter's folder: `path` itself, or the adapter's folder of the run at `path`. */
function adapterFolder(path: string, host: Host): string {
  const inner = join(path, runFolders.adapter);
  for (const folder of [path, inner]) if (existsSync(join(folder, adapterFiles.config))) return folder;
  const what = existsSync(join(path, MODEL_CONFIG))
    ? ": it holds a model; adapters are merged, with the model as --base"
    : "";
  throw missingIn("merge", adapterFiles.config, path, host, what);
}

/** Merges adapter directories and writes the result. */
export async function mergeCommand(named: readonly string[], options: MergeCommandOptions): Promise<number> {
  const host = await hostHere(1);
  const directory = host.directory;
  if (!directory) throw missing("merge", "access to files", host.runtime);
  const number = (name: string, text: string | undefined): number | undefined => {
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value)) throw badValue("merge", `--${name}`, text, "a number");
    return value;
  };
  const method = mergeMethods.find((m) => m === options.method);
  if (!method) throw badValue("merge", "--method", options.method, `one of ${mergeMethods.join(", ")}`);
  const sign = options.majoritySign;
  if (sign !== undefined && sign !== "total" && sign !== "frequency") {
    throw badValue("merge", "--majority-sign", sign, "total or frequency");
  }
  const factors = options.weights?.split(",").map((w) => number("weights", w) ?? NaN);
  const paths = named.map((path) => adapterFolder(path, host));
  const { base: below } = options;
  // `below` is a folder, or a GGUF file.
  if (below !== undefined && !existsSync(below)) throw missingIn("merge", MODEL_CONFIG, below, host);
  const from = below === undefined ? undefined : await modelFiles("merge", resolve(below), host, true);
  const adapters = paths.map((path) => ({ label: path, store: directory(resolve(path)) }));
  const output = resolve(options.output);
  const merging: MergeOptions = {
    method: method satisfies MergeMethod,
    weights: factors,
    density: number("density", options.density),
    svdRank: number("svd-rank", options.svdRank),
    majoritySignMethod: sign,
    modulesFrom: number("modules-from", options.modulesFrom),
    seed: number("seed", options.seed),
  };
  const writeFiles = async (files: (to: Store) => Promise<readonly string[]>): Promise<number> => {
    for (const file of await writeWhole(output, directory(output), files)) {
      process.stdout.write(`${join(output, file)}\n`);
    }
    return exitCodes.done;
  };
  if (options.exact && (below === undefined || adapters.length !== 1)) {
    const present = below === undefined ? "no --base" : `${adapters.length} adapters`;
    throw badValue("merge", "--exact", present, "one adapter and its --base");
  }
  checkRequantize(options);
  await checkWritable(output);
  const [only] = adapters;
  // A single adapter with weight 1 (the default) is merged unchanged, including DoRA's magnitudes.
  const alone = options.base !== undefined && adapters.length === 1 && only && (factors?.[0] ?? 1) === 1;
  if (below === undefined || from === undefined) {
    const merged = await mergeAdapters(adapters, merging);
    return await writeFiles((to) => writeMerged(merged, to));
  }
  if (adapters.length === 1 && only) await checkLone(only.label, only.store);
  const opened = await openModel("merge", from.files, below, { gguf: from.gguf });
  const adapter = alone
    ? await openAdapter(only.label, only.store)
    : mergedAsOpened(await mergeAdapters(adapters, merging));
  const shared = sharedTensors(catalog, opened.config, opened.weights.names);
  // Packed weights are [out, in], even if the model's are transposed.
  const { weights } = shared ? transposeConv1ds(opened, shared) : opened;
  const packed = options.requantize
    ? await openPackedBase(from.files, opened, from.gguf ?? await ggufIn(from.files))
    : undefined;
  const model = options.exact
    ? await mergeExactly({ ...opened, label: resolve(below) }, paths[0] ?? "", adapter, host)
    : mergeIntoBase(weights, adapter, { shared });
  if (!packed) return await writeFiles((to) => writeModel(model, opened.files, to));
  const again = requantized(model, packed);
  // The base's config describes how weights are packed, so it is copied.
  await writeFiles((to) => writeModel(again, from.files, to));
  if (!options.verify) return exitCodes.done;
  const merge = { adapter: paths[0] ?? "", merged: model, base: packed, files: opened.files, output };
  const { text, isTooMuch } = judge(await lostBy(merge, host, directory), options.maxLossDrift);
  process.stdout.write(text);
  return isTooMuch ? exitCodes.failed : exitCodes.done;
}
