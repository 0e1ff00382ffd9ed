/** Evaluates an opened run. */
import type { Evaluator } from "../../engine/evaluator.ts";
import { evaluate, type RowsSeen } from "../../loop/evaluate.ts";
import type { Dataset, Named } from "../../types.ts";
import { refuseNewParts } from "../open/new_parts.ts";
import { labelledRows } from "../rows/labelled_rows.ts";
import { batchesInOrder } from "../rows/ordered_batches.ts";
import { type EncodedRows, inOrder } from "../rows/encoded_rows.ts";
import { openEvaluator } from "./infer.ts";
import { columnsRead, withColumns } from "../rows/row_columns.ts";
import type { Measured } from "../../loop/measure.ts";
import { readsText } from "./metrics.ts";
import type { OpenRun } from "../open/open.ts";

/**
 * Evaluates an opened run on a data set, and closes the evaluator. Returns its metrics.
 *
 * @throws AttuneError if the run's head is new and `untrained` is not set.
 */
export async function evaluateRun(
  open: OpenRun,
  dataset: Dataset,
  options: EvaluateOptions = {},
  evaluator: Evaluator = openEvaluator(open),
): Promise<Named<number>> {
  return (await measureRun(open, dataset, options, evaluator)).metrics;
}

/** Options of an evaluation. `untrained`: use a new head as it is; `rowsSeen`: receives the readings of rows. */
export type EvaluateOptions = Readonly<{ untrained?: boolean; rowsSeen?: RowsSeen }>;

/** Like `evaluateRun`, but also returns figures that are more than a number. Throws like `evaluateRun`. */
export async function measureRun(
  open: OpenRun,
  dataset: Dataset,
  { untrained = false, rowsSeen }: EvaluateOptions = {},
  evaluator: Evaluator = openEvaluator(open),
): Promise<Measured> {
  if (!untrained) refuseNewParts(open);
  let rows: EncodedRows | undefined;
  try {
    rows = await labelledRows(open, dataset);
    return await measureOpened(open, evaluator, rows, rowsSeen);
  } finally {
    await rows?.close?.();
    await evaluator.close();
  }
}

/** Returns metrics and figures over encoded rows, including metrics of generated text. */
export async function measureOpened(
  open: OpenRun,
  evaluator: Pick<Evaluator, "run" | "generator">,
  rows: EncodedRows,
  rowsSeen?: RowsSeen,
): Promise<Measured> {
  const { task, tokenizer, run, layout } = open;
  const samples = inOrder(withColumns(rows, columnsRead(open)));
  const batches = batchesInOrder(samples, run.training.perDeviceEvalBatchSize, layout);
  const [text, others] = [true, false].map((reads) => open.metrics.filter((m) => readsText(open, m) === reads));
  const metrics = await evaluate(evaluator, batches, task, others ?? [], tokenizer, rowsSeen);
  if (!text || text.length === 0) return metrics;
  const generator = await evaluator.generator();
  try {
    const { textMetrics } = await import("./generate.ts");
    const textual = await textMetrics(open, generator, rows, text, rowsSeen);
    return { metrics: { ...metrics.metrics, ...textual.metrics }, figures: { ...metrics.figures, ...textual.figures } };
  } finally {
    await generator.close();
  }
}
