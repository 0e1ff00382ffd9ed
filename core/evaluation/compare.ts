/** Comparison of two models over the same rows: differences with intervals, McNemar's test, and the changed rows. */
import type { MetricStatistics } from "../statistics/metric_statistics.ts";
import { type Difference, differencesOf, type ResamplingOptions } from "../statistics/resampled.ts";
import { changedRows } from "../statistics/row_flags.ts";
import { type McNemar, mcnemar } from "../statistics/significance.ts";
import type { Json, Named } from "../types.ts";

/** The result of a comparison. */
export type Comparison = Readonly<{
  /** By metric: the other model's value (`first`), this model's (`second`), and this model's minus the other's. */
  differences: Named<Difference>;
  /**
   * McNemar's test of the first metric that is a share of right rows. `p`: exact if few rows changed, else corrected;
   * for clusters of rows, from flipping the signs of whole clusters.
   */
  mcnemar?: McNemar & Readonly<{ metric: string; p: number }>;
  /** Rows that only this model has right (`fixed`) or only the other one (`broken`); the first 100,000 of each. */
  changed?: Readonly<{ metric: string; fixed: readonly number[]; broken: readonly number[] }>;
}>;

/** Number of rows that only one model has right below which the exact test is used. */
const FEW = 25;

/**
 * Compares the statistics of a model with those of another one (`other`). Throws AttuneError if their rows differ.
 */
export function compareStatistics(
  other: readonly MetricStatistics[],
  compared: readonly MetricStatistics[],
  options: ResamplingOptions,
): Comparison {
  const differences: Record<string, Difference> = {};
  compared.forEach((statistics, i) => {
    const against = other[i];
    if (against) Object.assign(differences, differencesOf(against, statistics, options));
  });
  const [pair] = compared.flatMap((statistics, i) =>
    Object.entries(statistics.right).flatMap(([key, right]) => {
      const before = other[i]?.right[key];
      const changed = before && changedRows(before, right);
      return changed ? [{ metric: key, ...changed }] : [];
    })
  );
  if (!pair) return { differences };
  const { metric, onlyFirst: broken, onlySecond: fixed } = pair;
  const test = mcnemar(broken.count, fixed.count);
  return {
    differences,
    // McNemar's test assumes independent rows, so clusters have a p of their own.
    mcnemar: {
      metric,
      p: differences[metric]?.p ?? (broken.count + fixed.count < FEW ? test.exact : test.corrected),
      ...test,
    },
    changed: { metric, fixed: fixed.first, broken: broken.first },
  };
}

/** Returns a comparison as JSON: `<key>: { value, other, difference, difference_interval }`. */
export function comparisonFile({ differences, mcnemar: test, changed }: Comparison): Named<Json> {
  const entries = Object.entries(differences).map((
    [key, { first, second, difference, interval, p }],
  ): [string, Json] => [
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
    ...Object.fromEntries(entries),
    ...(test ? { mcnemar: test as unknown as Json } : {}),
    ...(changed ? { changed: changed as unknown as Json } : {}),
  };
}
