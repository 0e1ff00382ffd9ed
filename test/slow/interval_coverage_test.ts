/** How often intervals of 95 % have the true value in them: simulated rows whose mean is known. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { collectStatistics } from "../../core/evaluation/row_statistics.ts";
import { intervalsOf } from "../../core/statistics/resampled.ts";
import { log } from "../../core/math/math.ts";
import { createRandom } from "../../core/math/random.ts";
import { mae } from "../../plugins/metrics/mae.ts";

const [SETS, RESAMPLES] = [2000, 600];
const random = createRandom(11);

/** The share of sets whose interval has the mean; `draw`: the error of a row. */
function coverage(
  n: number,
  mean: number,
  draw: (set: number, row: number) => number,
  clusterOf?: (row: number) => string,
): number {
  let inside = 0;
  for (let set = 0; set < SETS; set++) {
    const collector = collectStatistics([mae()], undefined);
    const number = Array.from({ length: n }, (_, row) => ({ prediction: draw(set, row), reference: 0 }));
    const rows = number.map((_, row) => row);
    collector.add({ rows, readings: { number } }, clusterOf && rows.map(clusterOf));
    const [statistics] = collector.end();
    const found = statistics && intervalsOf(statistics, { samples: RESAMPLES, random: random.fork("resamples", set) });
    const { low = 1, high = 0 } = found?.mae ?? {};
    if (low <= mean && mean <= high) inside++;
  }
  return inside / SETS;
}

const normal = (set: number, row: number): number => random.fork("normal", set).normal(row);
const exponential = (set: number, row: number): number => -log(1 - random.fork("exponential", set).uniform(row));
const uniform = (set: number, row: number): number => random.fork("uniform", set).uniform(row);
/** Rows of five have an error in common. */
const together = (set: number, row: number): number => random.fork("together", set).uniform(Math.floor(row / 5));

describe("intervals of 95 % of a mean of continuous values have it in 93 to 97 % of simulated sets", () => {
  for (
    const [name, share] of [
      ["100 rows, half normal", () => coverage(100, Math.sqrt(2 / Math.PI), normal)],
      ["100 rows, uniform", () => coverage(100, 0.5, uniform)],
      ["200 rows, exponential", () => coverage(200, 1, exponential)],
      ["500 rows in 100 clusters", () => coverage(500, 0.5, together, (row) => String(Math.floor(row / 5)))],
    ] as const
  ) {
    it(name, (t) => {
      const covered = share();
      t.diagnostic?.(`${(100 * covered).toFixed(2)} %`);
      assert.ok(covered >= 0.93 && covered <= 0.97, `${(100 * covered).toFixed(2)} % of ${SETS} sets`);
    });
  }
});
