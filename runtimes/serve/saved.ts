/**
 * Saved runs, opened to predict, evaluate or export.
 * @module
 */
import { overWholeWeights } from "../../core/spec/whole_weights.ts";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Evaluator, shareEvaluator } from "../../core/engine/evaluator.ts";
import { AttuneError, missing, unknownName, unsupported } from "../../core/base/errors.ts";
import { evaluateRun } from "../../core/run/evaluate/evaluate.ts";
import { describeTrainedModel, verifyExport } from "../../core/run/write/export.ts";
import type { FinalFigures } from "../../core/run/write/final_figures.ts";
import { type InferOptions, openEvaluator, predictRows } from "../../core/run/evaluate/infer.ts";
import { type OpenRun, openRun } from "../../core/run/open/open.ts";
import type { Dataset, Host, Json, Named, Row, Run, Use } from "../../core/types.ts";
import { checkWritable } from "../host/claim.ts";
import { readRun, savedAdapters } from "../host/spec_file.ts";
import { writeWhole } from "../host/written.ts";
import { composed } from "../host/plugin_packages.ts";

/** Rows: a list, or a data set as in a run spec. */
export type Rows = readonly Row[] | Use<"data">;

/** Options of an export. `merge`: merges the adapter into the model; `verify`: loads the written files and compares. */
export type SavedExportOptions = Readonly<{ merge?: boolean | undefined; verify?: boolean | undefined }>;

/** The result of an export: the files, and with `verify` the largest difference of an output. */
export type Exported = Readonly<{ files: readonly string[]; difference?: number }>;

/** A saved run, opened again. */
export interface SavedRun {
  /** The run, with the model or adapter that it made in place of its base. */
  readonly run: Run;
  /** The opened parts of the run. */
  readonly open: OpenRun;
  /** Predicts each row, in order: `{label, score, scores}`, `{text}`, `{spans}` or `{tags}`, depending on the task. */
  predict(rows: Rows, options?: InferOptions): Promise<readonly Named<Json>[]>;
  /** Computes metrics over rows. Default: the run's `data.test`, or else its `data.eval`. */
  evaluate(rows?: Rows): Promise<Named<number>>;
  /** Exports to a folder in the format "peft" or "hf". If that fails, the folder is left as it was. */
  export(format: string, folder: string, options?: SavedExportOptions): Promise<Exported>;
  /** Releases the memory used to predict and evaluate; it is allocated again when needed. */
  close(): Promise<void>;
}

/** Known formats that are not implemented yet. */
const notBuilt: readonly string[] = ["onnx", "onnx-train", "gguf", "mlx", "workers-ai", "ollama", "ort-genai"];

/**
 * Opens the folder of a finished run. `task`: which one of several tasks.
 *
 * @throws AttuneError if there is no such folder, or it contains no finished run.
 * @example
 * ```ts
 * import { node } from "attune/node";
 * import { openSaved } from "attune/saved";
 * console.assert(typeof openSaved === "function" && typeof node === "function");
 * // const saved = await openSaved("./runs/reviews", await node());
 * // console.log(await saved.predict([{ text: "a very good film" }]), await saved.evaluate());
 * // await saved.export("hf", "./model", { merge: true });
 * ```
 */
export async function openSaved(
  folder: string,
  host: Host,
  options: Readonly<{ task?: string | undefined }> = {},
): Promise<SavedRun> {
  const spec = await readRun(folder, options.task);
  const run = await composed(spec);
  const open = await openRun(run, host);
  const metrics = measuredIn(folder, options.task);
  const datasetOf = (rows: Rows): Dataset =>
    open.run.use("data", Array.isArray(rows) ? { use: "memory", with: { rows } } : rows as Use<"data">);
  let known: Evaluator | undefined;
  const evaluator = (): Evaluator => shareEvaluator(known ??= openEvaluator(open));
  return {
    run: open.run,
    open,
    predict: async (rows, inference = {}) => {
      const adapters: Named<Json>[] = [];
      // Additional outputs need another graph.
      const plain = !inference.outputHiddenStates && !inference.outputAttentions;
      const all = predictRows(open, datasetOf(rows), inference, plain ? evaluator() : openEvaluator(open, inference));
      for await (const prediction of all) adapters.push(prediction);
      return adapters;
    },
    evaluate: async (rows) => {
      const data = rows === undefined ? open.data.test ?? open.data.eval : datasetOf(rows);
      if (!data) throw missing("evaluate", "data to evaluate on (rows, or data.test or data.eval of the spec)", folder);
      return await evaluateRun(open, data, {}, evaluator());
    },
    export: (format, to, how) => exported({ open, spec, metrics }, format, to, how),
    close: async () => await known?.close(),
  };
}

/** Throws AttuneError if a format cannot be written. */
function checkFormat(format: string, { catalog: { exporter = {} } }: Run): void {
  const built = Object.keys(exporter);
  if (built.includes(format)) return;
  if (!notBuilt.includes(format)) throw unknownName("export", "--format", "format", format, built);
  throw unsupported("export", "--format", format, `it is not implemented yet; there are ${built.join(", ")}`);
}

/** Reads a run's final figures from its metrics.json; none if there is no such file. */
function measuredIn(path: string, task: string | undefined): FinalFigures {
  const file = join(path, "metrics.json");
  if (!existsSync(file)) return { metrics: {} };
  const all = JSON.parse(readFileSync(file, "utf8")) as Named<Json>;
  const of = (figures: Json | undefined): Named<Json> => {
    const whole = (figures ?? {}) as Named<Json>;
    return task === undefined ? whole : ((whole.tasks ?? {}) as Named<Named<Json>>)[task] ?? {};
  };
  const section = of(all);
  const split = (section.split ?? all.split) === "test" ? "test" : "eval";
  const judged = numbersIn(of(all.eval));
  return {
    metrics: numbersIn(section),
    split,
    transforms: transformsIn(path, task),
    ...(split === "test" && Object.keys(judged).length > 0 ? { eval: judged } : {}),
  };
}

/** Reads the effects of transforms on a run's training rows from its data.json. */
function transformsIn(path: string, task: string | undefined): FinalFigures["transforms"] {
  const file = join(path, "data.json");
  if (!existsSync(file)) return undefined;
  const all = JSON.parse(readFileSync(file, "utf8"));
  return (task === undefined ? all : all.tasks?.[task])?.train?.transforms;
}

function numbersIn(figures: Named<Json>): Named<number> {
  return Object.fromEntries(
    Object.entries(figures).filter((pair): pair is [string, number] => typeof pair[1] === "number"),
  );
}

async function exported(
  { open, spec, metrics }: Readonly<{ open: OpenRun; spec: Named<Json>; metrics: FinalFigures }>,
  format: string,
  to: string,
  { merge = false, verify = false }: SavedExportOptions = {},
): Promise<Exported> {
  const { run, host } = open;
  checkFormat(format, run);
  const folder = host.resolve?.(to) ?? to;
  const store = host.directory?.(folder);
  if (!store) throw missing("export", "access to files", host.runtime);
  await checkWritable(folder);
  if (format === "hf" && !merge && open.attached.length > 0) {
    throw new AttuneError(
      "--format hf writes a whole model: pass --merge to fold the adapter in, or use --format peft",
      { code: "USAGE", plugin: "export" },
    );
  }
  const exporter = run.use("exporter", format === "hf" ? { use: "hf", with: { merge } } : format);
  const files = await writeWhole(
    folder,
    store,
    async (into) => exporter.write(await describeTrainedModel(open, metrics), into),
  );
  if (!verify) return { files };
  const whole = overWholeWeights(spec, open.run.catalog);
  const again = format === "hf"
    ? { ...whole, model: { use: "pretrained", with: { path: folder } } }
    : { ...spec, adapter: savedAdapters(folder, run.adapters.map((adapter) => adapter.name)) };
  // Merging uses the base's stored weights rather than its codes, so the comparison does, too.
  const asStored = format === "hf" && open.checkpoint.frozen && whole.accelerators !== undefined
    ? await openRun(await composed({ ...spec, accelerators: whole.accelerators }), host)
    : open;
  return { files, difference: await verifyExport(asStored, await openRun(await composed(again), host)) };
}
