/**
 * Evaluation: metrics over batches, streaming.
 * @module
 */
import { badValue } from "../errors.ts";
import type { Batch, Metric, MetricInputs, Named, Subtask, Tokenizer } from "../types.ts";
import { readingsReader, type RowReadings } from "./rows.ts";
import type { Evaluator } from "../engine/evaluator.ts";

/** Sees what is read of evaluated rows, for reports. */
export type RowsSeen = (read: RowReadings) => void;

/**
 * Metrics of the present weights. `loss`: each batch's mean, weighted by its number of samples.
 *
 * @throws AttuneError where a metric cannot read what the task decodes.
 */
export async function evaluate(
  evaluator: Pick<Evaluator, "run">,
  batches: Iterable<Batch>,
  task: Subtask,
  metrics: readonly Metric[],
  tokenizer: Tokenizer,
  seen?: RowsSeen,
): Promise<Named<number>> {
  const states = metrics.map((metric) => metric.init());
  const reader = readingsReader(task, tokenizer);
  const update = (read: RowReadings): void => {
    const { readings } = read;
    seen?.(read);
    metrics.forEach((metric, i) => {
      const kind = metric.reads.find((r) => readings[r] !== undefined);
      if (!kind) {
        throw badValue(
          metric.name,
          "metrics",
          Object.keys(readings),
          `readings of kind ${metric.reads.join(" or ")}`,
        );
      }
      for (const example of readings[kind] as readonly MetricInputs[keyof MetricInputs][]) {
        states[i] = metric.update(states[i], example);
      }
    });
  };
  let lossSum = 0;
  let samples = 0;
  for (const batch of batches) {
    const { outputs, losses } = await evaluator.run(batch, true);
    const mean = Object.values(losses).reduce((total, { sum, count }) => total + (count > 0 ? sum / count : 0), 0);
    lossSum += mean * batch.samples;
    samples += batch.samples;
    reader.read(outputs, batch).forEach(update);
  }
  reader.end().forEach(update);
  const result: Record<string, number> = { loss: samples === 0 ? 0 : lossSum / samples };
  metrics.forEach((metric, i) => {
    for (const [name, value] of Object.entries(metric.compute(states[i]))) if (value !== null) result[name] = value;
  });
  return result;
}
