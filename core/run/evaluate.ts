/**
 * Evaluating an opened run.
 * @module
 */
import type { Evaluator } from "../engine/evaluator.ts";
import { evaluate, type RowsSeen } from "../loop/evaluate.ts";
import type { Dataset, Named } from "../types.ts";
import { refuseNewParts } from "./complete.ts";
import { batchesInOrder, type EncodedRows, labelledRows } from "./data.ts";
import { openEvaluator } from "./infer.ts";
import { readsText } from "./metrics.ts";
import type { OpenRun } from "./open.ts";

/**
 * Metrics of an opened run over a dataset. The evaluator is closed behind it.
 *
 * @throws AttuneError where its head is new, unless `untrained` asks for what that one gives.
 */
export async function evaluateRun(
  open: OpenRun,
  dataset: Dataset,
  { untrained = false }: Readonly<{ untrained?: boolean }> = {},
  evaluator: Evaluator = openEvaluator(open),
): Promise<Named<number>> {
  if (!untrained) refuseNewParts(open);
  try {
    return await measured(open, evaluator, await labelledRows(open, dataset));
  } finally {
    await evaluator.close();
  }
}

/** Metrics over rows, those of generated text too. */
export async function measured(
  open: OpenRun,
  evaluator: Pick<Evaluator, "run" | "generator">,
  rows: Pick<EncodedRows, "rows" | "samples">,
  seen?: RowsSeen,
): Promise<Named<number>> {
  const { task, tokenizer, run, layout } = open;
  const batches = batchesInOrder(rows.samples, run.training.perDeviceEvalBatchSize, layout);
  const [text, others] = [true, false].map((own) => open.metrics.filter((m) => readsText(open, m) === own));
  const metrics = await evaluate(evaluator, batches, task, others ?? [], tokenizer, seen);
  if (!text || text.length === 0) return metrics;
  const generator = await evaluator.generator();
  try {
    return { ...metrics, ...await (await import("./generate.ts")).textMetrics(open, generator, rows, text, seen) };
  } finally {
    await generator.close();
  }
}
