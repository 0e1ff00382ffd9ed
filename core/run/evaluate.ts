/**
 * Evaluating an opened run.
 * @module
 */
import { evaluate } from "../loop/evaluate.ts";
import type { Dataset, Named } from "../types.ts";
import { batchesInOrder } from "./data.ts";
import { inferencer } from "./infer.ts";
import type { OpenRun } from "./open.ts";
import { labelledRows } from "./teacher.ts";

/** Metrics of an opened run over a dataset. */
export async function evaluateRun(open: OpenRun, dataset: Dataset): Promise<Named<number>> {
  const evaluator = inferencer(open);
  try {
    const { samples } = await labelledRows(open, dataset);
    const batches = batchesInOrder(samples, open.run.training.perDeviceEvalBatchSize, open.layout);
    return await evaluate(evaluator, batches, open.task, open.metrics, open.tokenizer);
  } finally {
    await evaluator.close();
  }
}
