/** Readings of predicted tokens. */
import type { Batch, MetricInputs, Named, Tensor } from "../../core/types.ts";

/** Returns readings of predicted tokens: each token as a class, and each row's log-likelihood. */
export function tokenReadings(
  { predictions, logProbabilities }: Named<Tensor>,
  batch: Batch,
): { readonly [R in keyof MetricInputs]?: readonly MetricInputs[R][] } {
  const { labels } = batch.inputs;
  const label: MetricInputs["label"][] = [];
  const rows = batch.sequences === batch.samples ? batch.samples : 1;
  const loss = Array.from({ length: rows }, () => ({ sum: 0, count: 0 }));
  for (const [i, sequence] of labelledSequences(batch)) {
    label.push({ prediction: Number(predictions?.data[i]), reference: Number(labels?.data[i]) });
    const rowLoss = loss[rows === 1 ? 0 : sequence];
    if (!rowLoss) continue;
    rowLoss.sum -= Number(logProbabilities?.data[i]);
    rowLoss.count++;
  }
  return { label, loss };
}

/** Returns the sample of each token reading. */
export function tokenPlaces(batch: Batch): { readonly label?: Int32Array } {
  if (batch.sequences !== batch.samples) return { label: new Int32Array() };
  return { label: Int32Array.from(labelledSequences(batch), ([, sequence]) => sequence) };
}

/** Yields each learned label's number, and its sequence. */
function* labelledSequences(batch: Batch): Generator<readonly [label: number, sequence: number]> {
  const { labels, "labels.at": at } = batch.inputs;
  const { tokenOrigins } = batch.decoder?.inputs.includes("labels") ? batch.decoder : batch;
  for (let i = 0; i < (labels?.data.length ?? 0); i++) {
    if (Number(labels?.data[i]) < 0) continue;
    yield [i, tokenOrigins[2 * Number(at ? at.data[i] : i)] ?? -1];
  }
}
