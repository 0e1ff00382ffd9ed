/**
 * Opens the output of a run, to predict, to evaluate, to export.
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

/** Rows: a list, or a data set as a run spec has it. */
export type Rows = readonly Row[] | Use<"data">;

/** How a run is exported. `merge`: the adapter is folded into the model; `verify`: what was written is loaded and compared. */
export type SavedExportOptions = Readonly<{ merge?: boolean | undefined; verify?: boolean | undefined }>;

/** The result of an export: the files, and with `verify` the largest difference of an output. */
export type Exported = Readonly<{ files: readonly string[]; difference?: number }>;

/** A run that has been opened again. */
export interface SavedRun {
  /** The run as it is now: with the model or adapter that it made in place of its base. */
  readonly run: Run;
  /** Everything of it, opened. */
  readonly open: OpenRun;
  /** One prediction for each row, in order: `{label, score, scores}`, `{text}`, `{spans}` or `{tags}`, as the task is. */
  predict(rows: Rows, options?: InferOptions): Promise<readonly Named<Json>[]>;
  /** Metrics over rows; without any those of the run's own `data.test`, or where it has none of its `data.eval`. */
  evaluate(rows?: Rows): Promise<Named<number>>;
  /** Writes it into a folder in the files of another ecosystem: "peft", "hf". Where that fails the folder is as it was. */
  export(format: string, folder: string, options?: SavedExportOptions): Promise<Exported>;
  /** Gives the memory of what predicts and evaluates back; it is opened again where it is needed again. */
  close(): Promise<void>;
}

/** Formats that are planned: what they are is known, and that they are not there. */
const notBuilt: readonly string[] = ["onnx", "onnx-train", "gguf", "mlx", "workers-ai", "ollama", "ort-genai"];

/**
 * Opens the folder of a finished run. `task`: which of several tasks.
 *
 * @throws AttuneError if there is no such folder, or it holds no finished run.
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
      // Further outputs are those of another graph.
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

/** Throws AttuneError if a format is none that can be written. */
function checkFormat(format: string, { catalog: { exporter = {} } }: Run): void {
  const built = Object.keys(exporter);
  if (built.includes(format)) return;
  if (!notBuilt.includes(format)) throw unknownName("export", "--format", "format", format, built);
  throw unsupported("export", "--format", format, `it is not implemented yet; there are ${built.join(", ")}`);
}

/** The figures that a run ended with, as its metrics.json has them; none if it has no such file. */
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

/** What transforms did to the rows that a run was trained on, as its data.json has it. */
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
  // Merged weights are those of the base as it is stored, not of its codes: so is what they are compared with.
  const asStored = format === "hf" && open.checkpoint.frozen && whole.accelerators !== undefined
    ? await openRun(await composed({ ...spec, accelerators: whole.accelerators }), host)
    : open;
  return { files, difference: await verifyExport(asStored, await openRun(await composed(again), host)) };
}
