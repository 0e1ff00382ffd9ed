import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRandom } from "../../../core/math/random.ts";
import { replicateBounds, resamplesOf } from "../../../core/statistics/resamples.ts";
import { collectStates, STATES } from "../../../core/statistics/unit_states.ts";
import type { Metric, MetricInputs } from "../../../core/types.ts";
import { gatherTallies, mergeTallies, type Tally } from "../../../blocks/metric/mod.ts";
import { byGroup } from "../../../plugins/metrics/by_group.ts";
import { pearson } from "../../../plugins/metrics/pearson.ts";
import { rocAuc } from "../../../plugins/metrics/roc_auc.ts";

const random = createRandom(5);
const scored = (i: number): MetricInputs["label"] => {
  const reference = i % 2;
  const score = 0.6 * random.uniform(i) + 0.4 * reference * random.uniform(i + 1e6);
  return { prediction: score > 0.5 ? 1 : 0, reference, scores: [1 - score, score], columns: { side: `${i % 3}` } };
};
const numbers = (i: number): MetricInputs["number"] => {
  const reference = random.uniform(i);
  return { reference, prediction: reference + random.uniform(i + 1e6) };
};

/** The interval of a metric's first value over so many rows, of which the states of at most so many are kept. */
function intervalOf(
  metric: Metric,
  exampleOf: (i: number) => MetricInputs[keyof MetricInputs],
  rows: number,
  most: number,
) {
  const states = collectStates(metric, most);
  let total = metric.init();
  for (let i = 0; i < rows; i++) {
    states.add(metric.update(metric.init(), exampleOf(i)));
    total = metric.update(total, exampleOf(i));
  }
  const whole = metric.compute(total);
  const [key = ""] = Object.keys(whole);
  const resamples = resamplesOf(Array.from({ length: rows }, (_, i) => i), { random });
  const replicates = Array.from(
    { length: 400 },
    (_, s) => states.compute(resamples.counts(s), whole, false)[key] ?? NaN,
  );
  const [low, high] = replicateBounds(replicates, 400, 0.95) ?? [NaN, NaN];
  return { low, high, value: whole[key] ?? NaN, kept: states.size };
}

describe("states of units", () => {
  for (const [name, metric, exampleOf] of [["roc-auc", rocAuc(), scored], ["pearson", pearson(), numbers]] as const) {
    it(`of many distinct ones a sample is kept, and the interval is that of all rows: ${name}`, () => {
      const [all, some] = [intervalOf(metric, exampleOf, 3000, 1e9), intervalOf(metric, exampleOf, 3000, 800)];
      assert.equal(all.kept, 3000);
      assert.ok(some.kept <= 800 && some.kept > 300, `${some.kept}`);
      assert.equal(some.value, all.value);
      assert.ok(some.low < all.value && all.value < some.high);
      // What 400 resamples and 800 rows tell of a width: within a fifth.
      const ratio = (some.high - some.low) / (all.high - all.low);
      assert.ok(Math.abs(ratio - 1) < 0.2, `${ratio}`);
    });
  }
  it("few distinct ones are all kept, however many rows have them", () => {
    const states = collectStates(rocAuc(), 10);
    for (let i = 0; i < 1000; i++) states.add({ level: 0, size: 1, counts: { [`1/${i % 2}|0.${i % 4}`]: 1 } });
    assert.equal(states.size, 4);
    const { "roc-auc": value } = states.compute(new Uint32Array(1000).fill(3), { "roc-auc": NaN }, false);
    assert.equal(value, 1 - 0.25);
  });
  it("memory does not grow with the rows", () => {
    const states = collectStates(pearson());
    for (let i = 0; i < 60_000; i++) states.add({ mean: random.uniform(i) });
    assert.ok(states.size <= STATES && states.size > STATES / 4, `${states.size}`);
  });
  it("where rows are drawn together, nothing of a cluster is made more of than is kept", () => {
    const metric = pearson();
    const make = (most: number) => {
      const states = collectStates(metric, most);
      let total = metric.init();
      for (let i = 0; i < 600; i++) {
        states.add(metric.update(metric.init(), numbers(i)));
        total = metric.update(total, numbers(i));
      }
      const whole = metric.compute(total);
      const rows = Array.from({ length: 600 }, (_, i) => i);
      const resamples = resamplesOf(rows, { random, clusterOf: (row) => `${row % 60}` });
      const all = Array.from(
        { length: 300 },
        (_, s) => states.compute(resamples.counts(s), whole, resamples.clustered),
      );
      const [low, high] = replicateBounds(all.map(({ pearson: r }) => r ?? NaN), 300, 0.95) ?? [NaN, NaN];
      return high - low;
    };
    assert.ok(make(200) > 0.9 * make(1e9), "never narrower than all rows say");
  });
  it("gathering gives what merging gives, also by group and where scores are cut", () => {
    const metric = rocAuc();
    const tallies = Array.from({ length: 40 }, (_, i) => metric.update(metric.init(), scored(i)) as Tally);
    const counts = tallies.map((_, i) => i % 4);
    const parts = tallies.flatMap((tally, i) => Array.from({ length: counts[i] ?? 0 }, () => tally));
    const merged = (limit?: number): Tally =>
      parts.reduce((a, b) => mergeTallies(a, b, limit), { level: 0, size: 0, counts: {} });
    assert.deepEqual(gatherTallies(tallies, counts), merged());
    assert.deepEqual(gatherTallies(tallies, counts, 9), merged(9));
    assert.ok(merged(9).level > 0);
    const grouped = byGroup({ metric, column: "side" });
    const own = Array.from({ length: 40 }, (_, i) => grouped.update(grouped.init(), scored(i)));
    const all = own.flatMap((state, i) => Array.from({ length: counts[i] ?? 0 }, () => state));
    const whole = all.reduce((a, b) => grouped.merge(a, b), grouped.init());
    assert.deepEqual(grouped.figures?.(grouped.gather?.(own, counts)), grouped.figures?.(whole));
    assert.deepEqual(grouped.compute(grouped.gather?.(own, counts)), grouped.compute(whole));
  });
});
