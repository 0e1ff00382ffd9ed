/** Evaluation: metrics accumulated over batches. */
import type { Batch, Metric, Subtask, Tokenizer } from "../types.ts";
import { type Measured, measureRows } from "./measure.ts";
import { readingsReader, type RowReadings } from "./rows.ts";
import type { Evaluator } from "../engine/evaluator.ts";

/** Receives the readings of evaluated rows, for reports. */
export type RowsSeen = (read: RowReadings) => void | Promise<void>;

/**
 * Returns metrics of the current weights. `loss`: the mean of batches' losses, weighted by their samples or weights.
 *
 * @throws AttuneError if a metric cannot read what the task decodes.
 */
export async function evaluate(
  evaluator: Pick<Evaluator, "run">,
  batches: AsyncIterable<Batch>,
  task: Subtask,
  metrics: readonly Metric[],
  tokenizer: Tokenizer,
  rowsSeen?: RowsSeen,
): Promise<Measured> {
  const measurement = measureRows(metrics, task.labels);
  const reader = readingsReader(task, tokenizer);
  const update = async (read: RowReadings): Promise<void> => {
    await rowsSeen?.(read);
    measurement.add(read);
  };
  let lossSum = 0;
  let total = 0;
  for await (const batch of batches) {
    const { outputs, losses } = await evaluator.run(batch, true);
    const mean = Object.values(losses).reduce((sofar, { sum, count }) => sofar + (count > 0 ? sum / count : 0), 0);
    const weight = batch.weight ?? batch.samples;
    lossSum += mean * weight;
    total += weight;
    for (const read of reader.read(outputs, batch)) await update(read);
  }
  for (const read of reader.end()) await update(read);
  const { metrics: measured, figures } = measurement.measured();
  return { metrics: { loss: total === 0 ? 0 : lossSum / total, ...measured }, figures };
}
