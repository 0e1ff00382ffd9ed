/**
 * Evaluated rows as reports show them.
 * @module
 */
import type { Batch, Example, Json, Named, Readings, Task, Tensor } from "../types.ts";
import type { EncodedRows } from "./data.ts";
import type { OpenRun } from "./open.ts";

/** Appends a batch's rows. */
export function collectExamples(
  examples: Example[],
  { task }: OpenRun,
  held: EncodedRows,
  batch: Batch,
  _outputs: Named<Tensor<Float32Array>>,
  readings: ReturnType<Task["decode"]>,
): void {
  const labels = (task.config?.id2label ?? {}) as Named<string>;
  const text = (row: number): string => {
    const own = held.rows[row] ?? {};
    return [own.text, own.textPair].filter((t) => typeof t === "string").join(" | ");
  };
  // Readings of places rather than of rows are not shown row by row.
  if (readings.label && readings.label.length !== batch.samples) return;
  readings.label?.forEach((r: Readings["label"], i) => {
    const row = batch.rows[i] ?? 0;
    const scores = r.scores ? Array.from(r.scores) : undefined;
    examples.push({
      row,
      text: text(row),
      reference: labels[String(r.reference)] ?? r.reference,
      prediction: labels[String(r.prediction)] ?? r.prediction,
      ...(scores ? { scores, loss: -Math.log(Math.max(1e-12, scores[r.reference] ?? 0)) } : {}),
    });
  });
  readings.number?.forEach((r: Readings["number"], i) => {
    const row = batch.rows[i] ?? 0;
    examples.push({
      row,
      text: text(row),
      reference: r.reference,
      prediction: r.prediction,
      loss: (r.prediction - r.reference) ** 2,
    });
  });
  readings.labels?.forEach((r: Readings["labels"], i) => {
    const row = batch.rows[i] ?? 0;
    const named = (ids: readonly number[]): Json => ids.map((id) => labels[String(id)] ?? String(id));
    examples.push({
      row,
      text: text(row),
      reference: named(r.reference),
      prediction: named(r.prediction),
      ...(r.scores ? { scores: Array.from(r.scores) } : {}),
    });
  });
}
