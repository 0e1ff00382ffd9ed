/**
 * Two models over the same rows: differences with intervals, McNemar's test, and which rows changed.
 * @module
 */
import { type McNemar, mcnemar } from "../statistics/significance.ts";
import type { Json, Named } from "../types.ts";
import { type Difference, differencesOf, type ResamplingOptions } from "./resampled.ts";
import type { MetricStatistics } from "./row_statistics.ts";

/** What a comparison says. */
export type Comparison = Readonly<{
  /** By key: the other's value, this one's, and this one's less the other's. */
  differences: Named<Difference>;
  /** Of the share of rows that are right, where there is one. */
  /** `p`: the exact one where few rows changed, else the corrected one. */
  mcnemar?: McNemar & Readonly<{ metric: string; p: number }>;
  /** Rows that only this model has right, and rows that only the other one has. */
  changed?: Readonly<{ metric: string; fixed: readonly number[]; broken: readonly number[] }>;
}>;

/** Rows that only one model has right, below which the exact test is used. */
const FEW = 25;

/** Compares what was measured of a model with what was measured of another one. Throws AttuneError where their rows differ. */
export function compareStatistics(
  other: readonly MetricStatistics[],
  own: readonly MetricStatistics[],
  options: ResamplingOptions,
): Comparison {
  const differences: Record<string, Difference> = {};
  own.forEach((statistics, i) => {
    const against = other[i];
    if (against) Object.assign(differences, differencesOf(against, statistics, options));
  });
  const pair = own.flatMap((statistics, i) =>
    Object.keys(statistics.means).flatMap((key) => {
      const [a, b] = [other[i]?.means[key], statistics.means[key]];
      return a && b && isRightOrWrong(a) && isRightOrWrong(b) ? [{ key, a, b, rows: statistics.rows }] : [];
    })
  )[0];
  if (!pair) return { differences };
  const only = (x: Float64Array, y: Float64Array): number[] =>
    Array.from(pair.rows).filter((_, i) => x[i] === 1 && y[i] === 0);
  const [broken, fixed] = [only(pair.a, pair.b), only(pair.b, pair.a)];
  const test = mcnemar(broken.length, fixed.length);
  return {
    differences,
    mcnemar: { metric: pair.key, p: broken.length + fixed.length < FEW ? test.exact : test.corrected, ...test },
    changed: { metric: pair.key, fixed, broken },
  };
}

function isRightOrWrong(values: Float64Array): boolean {
  return values.length > 0 && values.every((x) => x === 0 || x === 1);
}

/** A comparison as JSON: `<key>: { value, other, difference, difference_interval }`. */
export function comparisonFile({ differences, mcnemar: test, changed }: Comparison): Named<Json> {
  const shown = Object.entries(differences).map(([key, { first, second, difference, interval, p }]): [string, Json] => [
    key.replaceAll("\u0000", "."),
    {
      value: second,
      other: first,
      difference,
      ...(interval ? { difference_interval: [interval.low, interval.high] } : {}),
      ...(p === undefined ? {} : { p }),
    },
  ]);
  return {
    ...Object.fromEntries(shown),
    ...(test ? { mcnemar: test as unknown as Json } : {}),
    ...(changed ? { changed: changed as unknown as Json } : {}),
  };
}
