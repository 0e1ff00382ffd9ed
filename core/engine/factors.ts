/** The factors of losses. */
import { countIn } from "../data/row_weight.ts";
import type { Batch } from "../types.ts";
import type { TaskLoss } from "./program.ts";

/**
 * Returns the factor of each loss in each micro-batch: its weight divided by the step's count, or by the micro-batch's
 * count times their number. If a step has micro-batches of several tasks, each task counts by its share of them.
 */
export function lossFactors(
  tasks: readonly Readonly<{ name: string; losses: readonly TaskLoss[]; weight: number }>[],
  batches: readonly Batch[],
): Record<string, number>[] {
  const counts = batches.map((batch, i) =>
    Object.fromEntries((tasks[i]?.losses ?? []).map((l) => [l.name, countIn(batch, l.loss, l.target)]))
  );
  return counts.map((ownCount, i) => {
    const task = tasks[i];
    const same = counts.filter((_, k) => tasks[k]?.name === task?.name);
    return Object.fromEntries((task?.losses ?? []).map((l) => {
      const count = l.loss.over === "step"
        ? same.reduce((sum, c) => sum + (c[l.name] ?? 0), 0) * (batches.length / same.length)
        : (ownCount[l.name] ?? 0) * batches.length;
      return [l.name, count === 0 ? 0 : l.weight * (task?.weight ?? 1) / count];
    }));
  });
}
