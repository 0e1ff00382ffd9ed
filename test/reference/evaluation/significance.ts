/** Intervals and tests of differences beside scipy's and statsmodels'. */
import assert from "node:assert/strict";
import { type Check, check } from "../../../conformance/check.ts";
import { bcaInterval, percentileInterval, wilson } from "../../../core/statistics/intervals.ts";
import { createRandom } from "../../../core/math/random.ts";
import { benjaminiHochberg, holm, mcnemar, signPermutation } from "../../../core/statistics/significance.ts";
import type { Named } from "../../../core/types.ts";
import { correctedChecks, type CorrectedSet } from "./folds.ts";

type Expected<K extends string> = Readonly<Record<K, number>>;
type Intervals<K extends string> = Readonly<Record<K, readonly [low: number, high: number]>>;

/** `significance.json`, or what there is of it. */
export type SignificanceFigures = Readonly<{
  mcnemar?: readonly Readonly<{ first: readonly number[]; second: readonly number[]; expected: Named<number> }>[];
  bootstrap?: Readonly<{
    sets: readonly Readonly<{
      values: readonly number[];
      replicates: readonly number[];
      alpha: number;
      expected: Expected<"statistic"> & Intervals<"percentile" | "bca">;
    }>[];
  }>;
  proportions?: readonly Readonly<{ successes: number; trials: number; expected: Intervals<"wilson"> }>[];
  manyComparisons?: readonly Readonly<{
    p: readonly number[];
    expected: Readonly<{ holm: readonly number[]; benjaminiHochberg: readonly number[] }>;
  }>[];
  pairedPermutation?: readonly Readonly<{ differences: readonly number[]; expected: Expected<"p"> }>[];
  correctedResampledT?: readonly CorrectedSet[];
}>;

/** Every figure within 1e-10 of itself. */
export function significanceChecks(figures: SignificanceFigures): readonly Check[] {
  const { mcnemar: pairs = [], bootstrap, proportions = [], manyComparisons = [], pairedPermutation = [] } = figures;
  return [
    ...pairs.map(({ first, second, expected }, i) =>
      check(`McNemar's test ${i}`, () => {
        const count = (x: readonly number[], y: readonly number[]) => x.filter((right, i) => right && !y[i]).length;
        const test = mcnemar(count(first, second), count(second, first));
        for (const [key, value] of Object.entries(expected)) near([test[key as keyof typeof test]], [value], key);
      })
    ),
    ...(bootstrap?.sets ?? []).map(({ values, replicates, alpha, expected }, i) =>
      check(`percentile and BCa intervals ${i}`, () => {
        const sorted = replicates.toSorted((a, b) => a - b);
        const sum = values.reduce((a, b) => a + b, 0);
        const jackknife = values.map((x) => (sum - x) / (values.length - 1));
        near(percentileInterval(sorted, 1 - alpha), expected.percentile, "percentile");
        near(bcaInterval(expected.statistic, sorted, jackknife, 1 - alpha), expected.bca, "bca");
      })
    ),
    ...proportions.map(({ successes, trials, expected }) =>
      check(`Wilson's interval of ${successes} of ${trials}`, () => {
        near(wilson(successes, trials), expected.wilson, "wilson");
      })
    ),
    ...manyComparisons.map(({ p, expected }, i) =>
      check(`corrections of many tests ${i}`, () => {
        near(holm(p), expected.holm, "holm");
        near(benjaminiHochberg(p), expected.benjaminiHochberg, "benjamini-hochberg");
      })
    ),
    ...pairedPermutation.map(({ differences, expected }, i) =>
      check(`signs of differences ${i}`, () => {
        near([signPermutation(differences, createRandom(1))], [expected.p], "p");
      })
    ),
    ...correctedChecks(figures.correctedResampledT ?? []),
  ];
}

function near(actual: readonly (number | undefined)[], expected: readonly number[], what: string): void {
  assert.equal(actual.length, expected.length, what);
  actual.forEach((x = NaN, i) => {
    const y = expected[i] ?? NaN;
    assert.ok(Math.abs(x - y) <= 1e-10 * Math.max(1e-6, Math.abs(y)), `${what}: ${x} is not ${y}`);
  });
}
