import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { createRandom } from "../../../core/math/random.ts";
import { bcaInterval, percentileInterval } from "../../../core/statistics/intervals.ts";
import { itPasses } from "../../checks.ts";
import { itHolds } from "../../reference/evaluation/mod.ts";
import { significanceChecks } from "../../reference/evaluation/significance.ts";

// Made by test/fixtures/significance.py: scipy, statsmodels.
const figures = JSON.parse(readFileSync(new URL("../../fixtures/significance.json", import.meta.url), "utf8"));
itPasses("figures of scipy and statsmodels", significanceChecks(figures));
await itHolds("significance");

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
