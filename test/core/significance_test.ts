import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { createRandom } from "../../core/random.ts";
import { bcaInterval, percentileInterval, wilson } from "../../core/intervals.ts";
import { benjaminiHochberg, holm, mcnemar, signPermutation } from "../../core/significance.ts";
import type { Json, Named } from "../../core/types.ts";
import { sharedPath, SKIP_REASON } from "../shared.ts";

const near = (found: readonly number[] | undefined, expected: readonly number[] | undefined, what: string): void => {
  assert.equal(found?.length, expected?.length, what);
  found?.forEach((x, i) => {
    const y = expected?.[i] ?? NaN;
    assert.ok(Math.abs(x - y) <= 1e-10 * Math.max(1e-6, Math.abs(y)), `${what}: ${x} is not ${y}`);
  });
};
type Case = Named<Json> & { expected: Named<number & readonly number[]> };
const file = sharedPath("reference/evaluation/significance.json");
// Figures of test/fixtures/significance.py: scipy, statsmodels.
const own = new URL("../fixtures/significance.json", import.meta.url).pathname;

for (const path of [own, file]) {
  describe(
    `figures of ${path === own ? "the fixture" : "the shared reference"}`,
    { skip: !path && SKIP_REASON },
    () => {
      const sets = path ? JSON.parse(readFileSync(path, "utf8")) : {};
      const of = (name: string): readonly Case[] => (sets[name]?.sets ?? sets[name] ?? []) as readonly Case[];
      it("McNemar's test", () => {
        for (const { first, second, expected } of of("mcnemar")) {
          const [a, b] = [first, second] as [number[], number[]];
          const count = (x: number[], y: number[]): number => x.filter((right, i) => right && !y[i]).length;
          const found = mcnemar(count(a, b), count(b, a));
          for (const [key, value] of Object.entries(expected)) near([found[key as keyof typeof found]], [value], key);
        }
      });
      it("percentile and BCa intervals", () => {
        for (const { values, replicates, alpha, expected } of of("bootstrap")) {
          const [all, sorted] = [values as number[], (replicates as number[]).toSorted((a, b) => a - b)];
          const sum = all.reduce((a, b) => a + b, 0);
          const jackknife = all.map((x) => (sum - x) / (all.length - 1));
          const value = Number(expected.statistic);
          near(percentileInterval(sorted, 1 - Number(alpha)), expected.percentile, "percentile");
          near(bcaInterval(value, sorted, jackknife, 1 - Number(alpha)), expected.bca, "bca");
        }
      });
      it("Wilson's intervals", () => {
        for (const { successes, trials, expected } of of("proportions")) {
          near(wilson(Number(successes), Number(trials)), expected.wilson, `${successes} of ${trials}`);
        }
      });
      it("Holm's, and Benjamini and Hochberg's corrections", () => {
        for (const { p, expected } of of("manyComparisons")) {
          near(holm(p as number[]), expected.holm, "holm");
          near(benjaminiHochberg(p as number[]), expected.benjaminiHochberg, "benjamini-hochberg");
        }
      });
      it("signs of differences", () => {
        for (const { differences, expected } of of("pairedPermutation")) {
          near([signPermutation(differences as number[], createRandom(1))], [Number(expected.p)], "p");
        }
      });
    },
  );
}

it("cover what they say: intervals of a mean of 120 rows hold it in 93 to 97 of 100 draws", () => {
  const random = createRandom(9);
  let [percentile, bca] = [0, 0];
  const [draws, n, resamples] = [600, 120, 300];
  for (let d = 0; d < draws; d++) {
    const stream = random.fork("draw", d);
    const values = Array.from({ length: n }, (_, i) => 3 * stream.uniform(2 * i) + stream.uniform(2 * i + 1) ** 2);
    const sum = values.reduce((a, b) => a + b, 0);
    const replicates = Array.from({ length: resamples }, (_, r) => {
      const own = stream.fork("resample", r);
      let total = 0;
      for (let i = 0; i < n; i++) total += values[Math.floor(own.uniform(i) * n)] ?? 0;
      return total / n;
    }).sort((a, b) => a - b);
    const truth = 1.5 + 1 / 3;
    const holds = ([low, high]: readonly [number, number]): number => Number(low <= truth && truth <= high);
    percentile += holds(percentileInterval(replicates));
    bca += holds(bcaInterval(sum / n, replicates, values.map((x) => (sum - x) / (n - 1))));
  }
  // 600 draws at 95 %: two standard errors are 1.8 %.
  for (const share of [percentile / draws, bca / draws]) assert.ok(share >= 0.92 && share <= 0.975, String(share));
});
