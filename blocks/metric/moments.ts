/** Means, variances and covariance of pairs of numbers in one pass (Welford 1962; merging by Chan et al. 1979). */
import type { MetricInputs, Named } from "../../core/types.ts";
import type { MetricParts } from "./mean.ts";

/** Moments over rows, x the prediction and y the reference; `xx`, `yy`, `xy`: sums of products of deviations. */
export type Moments = Readonly<
  { rows: number; x: number; y: number; xx: number; yy: number; xy: number; squaredError: number }
>;

/** The moments of no rows. */
const emptyMoments: Moments = Object.freeze({ rows: 0, x: 0, y: 0, xx: 0, yy: 0, xy: 0, squaredError: 0 });

/** Adds a row. */
function addToMoments(m: Moments, { prediction, reference }: MetricInputs["number"]): Moments {
  const rows = m.rows + 1;
  const [dx, dy] = [prediction - m.x, reference - m.y];
  const [x, y] = [m.x + dx / rows, m.y + dy / rows];
  return {
    rows,
    x,
    y,
    xx: m.xx + dx * (prediction - x),
    yy: m.yy + dy * (reference - y),
    xy: m.xy + dx * (reference - y),
    squaredError: m.squaredError + (prediction - reference) ** 2,
  };
}

/** Merges two sums. */
function mergeMoments(a: Moments, b: Moments): Moments {
  if (a.rows === 0) return b;
  if (b.rows === 0) return a;
  const rows = a.rows + b.rows;
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const weight = a.rows * b.rows / rows;
  return {
    rows,
    x: a.x + dx * b.rows / rows,
    y: a.y + dy * b.rows / rows,
    xx: a.xx + b.xx + dx * dx * weight,
    yy: a.yy + b.yy + dy * dy * weight,
    xy: a.xy + b.xy + dx * dy * weight,
    squaredError: a.squaredError + b.squaredError,
  };
}

/** Returns Pearson's r; null if either side is constant. */
export function correlation({ rows, xx, yy, xy }: Pick<Moments, "rows" | "xx" | "yy" | "xy">): number | null {
  const r = xy / (Math.sqrt(xx) * Math.sqrt(yy));
  return rows > 1 && Number.isFinite(r) ? Math.min(1, Math.max(-1, r)) : null;
}

/** Returns a metric that `compute` derives from the moments of its pairs; larger is better. */
export function overMoments(compute: (moments: Moments) => Named<number | null>): MetricParts {
  return {
    reads: ["number"],
    greaterIsBetter: true,
    init: () => emptyMoments,
    update: (state: Moments, example: MetricInputs["number"]) => addToMoments(state, example),
    merge: (a: Moments, b: Moments) => mergeMoments(a, b),
    compute: (state: Moments) => compute(state),
  };
}
