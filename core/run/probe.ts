/**
 * What `--probe` writes of an evaluation: its loss and the logits of the first batch.
 * @module
 */
import type { Evaluator } from "../engine/evaluator.ts";
import type { Json, Named, Sample } from "../types.ts";
import { batchesInOrder } from "./data.ts";
import type { OpenRun } from "./open.ts";

/** Values of a logits array that are written. */
const VALUES = 4000;

/** The loss and the outputs of the first evaluation batch, in the reference files' shape. */
export async function probeOf(
  engine: Pick<Evaluator, "run">,
  open: OpenRun,
  samples: readonly Sample[],
  metrics: Named<number>,
): Promise<Json> {
  const [batch] = batchesInOrder(samples, open.run.training.perDeviceEvalBatchSize, { ...open.layout, share: false });
  const result: Record<string, Json> = { loss: metrics.loss ?? null };
  if (!batch) return result;
  // Without labels, heads that read labelled places only give every place's outputs.
  const perPlace = Object.keys(batch.inputs).some((input) => input.endsWith(".at"));
  const { outputs } = await engine.run(batch, !perPlace);
  for (const [name, { dims: [rows = 0, ...rest], data }] of Object.entries(outputs)) {
    const dims = perPlace && rows !== batch.sequences ? [batch.batch, rows / batch.batch, ...rest] : [rows, ...rest];
    result[name] = { dims, values: [...data.subarray(0, VALUES)] };
  }
  return result;
}
