/** Task arithmetic on flat arrays: pruning, electing a sign, and sums, as PEFT's merge_utils define them. */

/** Which sign is elected if tasks disagree: that of the sum, or the more frequent. */
export type MajoritySignMethod = "total" | "frequency";

/** Keeps the `density` share of values that are largest in magnitude, and sets the others to zero. */
export function pruneByMagnitude(values: Float64Array, density: number): Float64Array {
  if (density >= 1) return values;
  const kept = Math.floor(density * values.length);
  const order = Array.from(values.keys()).sort((a, b) => Math.abs(values[b] ?? 0) - Math.abs(values[a] ?? 0) || a - b);
  const out = new Float64Array(values.length);
  for (const i of order.slice(0, kept)) out[i] = values[i] ?? 0;
  return out;
}

/** Keeps the values where the mask is 1, divided by the density so that their expectation stays (Yu et al. 2024). */
export function pruneByMask(values: Float64Array, mask: ArrayLike<number>, density: number): Float64Array {
  if (density >= 1) return values;
  return values.map((value, i) => (mask[i] ? value / density : 0));
}

/** Returns Σ wᵢ xᵢ. */
export function weightedSum(tasks: readonly Float64Array[], weights: readonly number[]): Float64Array {
  const out = new Float64Array(tasks[0]?.length ?? 0);
  tasks.forEach((task, t) => {
    const weight = weights[t] ?? 0;
    for (let i = 0; i < out.length; i++) out[i] = (out[i] ?? 0) + weight * (task[i] ?? 0);
  });
  return out;
}

/** Returns Σ wᵢ xᵢ over the tasks whose sign is the elected one, divided by their number (Yadav et al. 2023). */
export function disjointMean(
  tasks: readonly Float64Array[],
  weights: readonly number[],
  method: MajoritySignMethod,
): Float64Array {
  const out = new Float64Array(tasks[0]?.length ?? 0);
  for (let i = 0; i < out.length; i++) {
    let vote = 0;
    for (const task of tasks) vote += method === "total" ? task[i] ?? 0 : Math.sign(task[i] ?? 0);
    const elected = vote >= 0 ? 1 : -1;
    let [sum, count] = [0, 0];
    tasks.forEach((task, t) => {
      if (Math.sign(task[i] ?? 0) !== elected) return;
      sum += (weights[t] ?? 0) * (task[i] ?? 0);
      count++;
    });
    out[i] = sum / Math.max(1, count);
  }
  return out;
}
