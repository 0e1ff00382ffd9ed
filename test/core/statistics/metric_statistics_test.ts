/** What is kept of any number of rows: exact figures, a sample to draw from, and the same rows whoever keeps them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compareStatistics } from "../../../core/evaluation/compare.ts";
import { createRandom } from "../../../core/math/random.ts";
import { wilson } from "../../../core/statistics/intervals.ts";
import { flatMetric } from "../../../core/statistics/figures.ts";
import { collectMetric, type MetricStatistics, UNITS } from "../../../core/statistics/metric_statistics.ts";
import { differencesOf, intervalsOf } from "../../../core/statistics/resampled.ts";
import { mcnemar } from "../../../core/statistics/significance.ts";
import type { Metric, MetricInputs } from "../../../core/types.ts";
import { gatherTallies, mergeTallies, type Tally } from "../../../blocks/metric/mod.ts";
import { accuracy } from "../../../plugins/metrics/accuracy.ts";
import { byGroup } from "../../../plugins/metrics/by_group.ts";
import { f1 } from "../../../plugins/metrics/f1.ts";
import { mae } from "../../../plugins/metrics/mae.ts";
import { pearson } from "../../../plugins/metrics/pearson.ts";
import { squad } from "../../../plugins/metrics/squad.ts";
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

function statisticsOf(
  metric: Metric,
  rows: number,
  exampleOf: (i: number) => MetricInputs[keyof MetricInputs],
  most?: number,
  clusterOf?: (i: number) => string,
): MetricStatistics {
  const collector = collectMetric(metric, most);
  for (let i = 0; i < rows; i++) collector.add(clusterOf?.(i) ?? i, i, [exampleOf(i)]);
  return collector.end();
}

const draws = { samples: 400, random };
const width = ({ low, high }: { low: number; high: number } = { low: NaN, high: NaN }): number => high - low;

describe("statistics of a metric", () => {
  for (
    const [name, metric, exampleOf] of [
      ["roc-auc", rocAuc(), scored],
      ["pearson", pearson(), numbers],
      ["mae", mae(), numbers],
    ] as const
  ) {
    it(`of many rows a sample is kept, and the interval is that of all rows: ${name}`, () => {
      const [all, some] = [1e9, 800].map((most) => statisticsOf(metric, 3000, exampleOf, most));
      assert.ok(all && some);
      assert.equal(all.units().names.length, 3000);
      const units = some.units().names.length;
      assert.ok(units <= 800 && units > 300, `${units}`);
      assert.deepEqual(some.values, all.values);
      const [wide, narrow] = [intervalsOf(some, draws)[name], intervalsOf(all, draws)[name]];
      const value = all.values[name] ?? NaN;
      assert.ok(wide && wide.low < value && value < wide.high);
      // What 400 resamples and 800 rows tell of a width: within a fifth.
      const ratio = width(wide) / width(narrow);
      assert.ok(Math.abs(ratio - 1) < 0.2, `${ratio}`);
    });
  }

  it("shares of rows have Wilson's interval of all rows, however few are kept", () => {
    const own = statisticsOf(accuracy(), 3000, (i) => ({ prediction: Number(i % 7 > 0), reference: 1 }), 100);
    const { accuracy: found } = intervalsOf(own, draws);
    assert.deepEqual([found?.low, found?.high, found?.method], [...wilson(3000 - 429, 3000), "wilson"]);
  });

  it("groups of few rows that are left out leave the others their intervals", () => {
    const row = (i: number) => ({
      prediction: Number(i % 4 > 0),
      reference: 1,
      columns: { side: i < 5 ? "few" : "many" },
    });
    const metric = flatMetric(byGroup({ metric: accuracy(), column: "side", minCount: 10 }));
    const found = intervalsOf(statisticsOf(metric, 45, row), draws);
    const { low, high, method } = found["accuracy_by_side\u0000many\u0000value"] ?? {};
    assert.deepEqual([low, high, method], [...wilson(30, 40), "wilson"]);
    assert.ok(!Object.hasOwn(found, "accuracy_by_side\u0000few\u0000value"));
  });

  it("errors that are 0 or 1 are no shares of right rows", () => {
    const rows = (i: number) => ({ prediction: i % 3 === 0 ? 1 : 0, reference: 0 });
    const own = statisticsOf(mae(), 30, rows);
    assert.equal(intervalsOf(own, draws).mae?.method, "bca");
    const { mcnemar: test, differences } = compareStatistics(
      [own],
      [statisticsOf(mae(), 30, (i) => rows(i + 1))],
      draws,
    );
    assert.equal(test, undefined);
    assert.equal(typeof differences.mae?.p, "number");
  });

  it("shares in percent have Wilson's in percent, also where no row is right", () => {
    for (const right of [0, 30, 40]) {
      const rows = (i: number) => ({ prediction: i < right ? "a" : "c", references: ["a"] });
      const own = statisticsOf(squad(), 40, rows);
      const { squad_exactMatch: found } = intervalsOf(own, draws);
      assert.deepEqual([found?.low, found?.high], wilson(right, 40).map((bound) => 100 * bound));
      const other = statisticsOf(squad(), 40, (i) => rows(i + 1));
      const { mcnemar: test } = compareStatistics([own], [other], draws);
      assert.deepEqual([test?.metric, test?.onlyFirstRight], [
        "squad_exactMatch",
        right === 40 ? 1 : Number(right > 0),
      ]);
    }
  });

  it("memory does not grow with the rows, nor with what each of them takes", () => {
    const many = statisticsOf(pearson(), 34_000, numbers);
    assert.ok(many.units().names.length <= UNITS / 2, "distinct states cost each resample");
    const units = statisticsOf(mae(), 34_000, numbers).units().names.length;
    assert.ok(units <= UNITS && units > UNITS / 4, `${units}`);
    // Rows of 200 classes' scores.
    const scores = Array.from({ length: 200 }, (_, c) => c / 1000);
    const large = statisticsOf(rocAuc(), 3000, (i) => ({ prediction: 0, reference: i % 200, scores }));
    const characters = JSON.stringify(rocAuc().update(rocAuc().init(), { prediction: 0, reference: 3, scores })).length;
    assert.ok(large.units().names.length * characters <= 2 ** 23, `${large.units().names.length} of ${characters}`);
  });

  it("what equals the mean of its rows by chance has no interval of a mean", () => {
    // Of each class as many are right: macro F1 is accuracy, of these rows.
    const rows = (i: number) => ({ prediction: i % 2, reference: i % 10 < 2 ? 1 - (i % 2) : i % 2 });
    const { f1_macro: found } = intervalsOf(statisticsOf(f1({ average: "macro" }), 200, rows), draws);
    assert.equal(found?.method, "percentile");
    const all = intervalsOf(statisticsOf(f1({ average: "macro" }), 40, () => ({ prediction: 1, reference: 1 })), draws);
    assert.deepEqual([all.f1_macro?.low, all.f1_macro?.high], [...wilson(40, 40)], "none is wrong: as of accuracy");
  });

  it("rows that belong together are one unit each, and of many of these a sample is drawn", () => {
    const clusterOf = (i: number): string => `page ${i % 600}`;
    const near = (i: number): MetricInputs["number"] => ({ reference: 0, prediction: random.uniform(i % 600) });
    const [all, some] = [1e9, 200].map((most) => statisticsOf(mae(), 3000, near, most, clusterOf));
    assert.ok(all?.clustered && some?.clustered);
    assert.equal(all.units().names.length, 600);
    assert.ok(some.units().names.length <= 200);
    const alone = statisticsOf(mae(), 3000, near);
    // Five rows that are the same say as much as one: wider by the root of five, whether all are kept or not.
    for (const own of [all, some]) {
      const ratio = width(intervalsOf(own, draws).mae) / width(intervalsOf(alone, draws).mae);
      assert.ok(Math.abs(ratio / Math.sqrt(5) - 1) < 0.25, `${ratio}`);
    }
    const states = statisticsOf(pearson(), 600, numbers, 1e9, (i) => `${i % 20}`).units();
    assert.equal(states.names.length, 20);
    const whole = states.compute(new Uint8Array(20).fill(1)).pearson ?? NaN;
    assert.ok(Math.abs(whole - (statisticsOf(pearson(), 600, numbers).values.pearson ?? 0)) < 1e-12);
  });

  it("two models are compared on the same rows, also where one's take more room", () => {
    const long = (i: number): MetricInputs["label"] => ({
      ...scored(i),
      scores: Array.from(scored(i).scores ?? [], (x) => x / 3),
    });
    const of = (exampleOf: typeof scored, most: number): MetricStatistics =>
      statisticsOf(rocAuc(), 2000, exampleOf, most);
    const { "roc-auc": found } = differencesOf(of(scored, 1500), of(long, 400), draws);
    assert.equal(found?.difference, 0);
    assert.deepEqual([found?.interval?.low, found?.interval?.high], [0, 0], "each resample is of the same rows");
    assert.throws(() => differencesOf(of(scored, 1500), statisticsOf(rocAuc(), 1999, scored), draws), /the same rows/);
  });

  it("McNemar's test and the rows that changed are of all rows, exactly", () => {
    const n = 70_000;
    const right = (every: number) => (i: number) => ({ prediction: Number(i % every > 0), reference: 1 });
    const [first, second] = [right(1000), right(1500)].map((of) => statisticsOf(accuracy(), n, of, 500));
    assert.ok(first && second);
    const { mcnemar: test, changed } = compareStatistics([first], [second], draws);
    const rows = Array.from({ length: n }, (_, i) => i);
    const fixed = rows.filter((i) => i % 1000 === 0 && i % 1500 !== 0);
    const broken = rows.filter((i) => i % 1500 === 0 && i % 1000 !== 0);
    assert.deepEqual(changed, { metric: "accuracy", fixed, broken });
    const wanted = mcnemar(broken.length, fixed.length);
    assert.deepEqual(test, { metric: "accuracy", p: wanted.corrected, ...wanted });
  });

  it("rows that belong together are flipped together: copies of a row are no evidence", () => {
    const p = (clusterOf?: (i: number) => string): number => {
      const of = (right: (i: number) => boolean): MetricStatistics =>
        statisticsOf(accuracy(), 60, (i) => ({ prediction: Number(right(i)), reference: 1 }), undefined, clusterOf);
      // Six texts of ten copies: the second model has four of them right that the first has wrong.
      const [first, second] = [of((i) => i % 6 === 0), of((i) => i % 6 < 5)];
      return compareStatistics([first], [second], { samples: 1000, random }).mcnemar?.p ?? NaN;
    };
    assert.ok(p() < 1e-6);
    // Of 2^4 ways to flip four differences two are as far from 0.
    assert.equal(p((i) => `${i % 6}`), 2 / 16);
  });

  it("the p of a mean over a sample is that of all rows", () => {
    const noisy = (shift: number, from: number) => (i: number): MetricInputs["number"] => ({
      reference: 0,
      prediction: 1 + random.uniform(i + from) + shift,
    });
    const of = (exampleOf: ReturnType<typeof noisy>, most: number): MetricStatistics =>
      statisticsOf(mae(), 4000, exampleOf, most);
    const p = (most: number): number =>
      differencesOf(of(noisy(0, 0), most), of(noisy(0.014, 1e7), most), { samples: 1000, random }).mae?.p ?? NaN;
    assert.ok(Math.abs(p(1e9) - p(1000)) < 0.05 && p(1000) < 0.5, `${p(1e9)} ${p(1000)}`);
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
    const states = Array.from({ length: 40 }, (_, i) => grouped.update(grouped.init(), scored(i)));
    const all = states.flatMap((state, i) => Array.from({ length: counts[i] ?? 0 }, () => state));
    const whole = all.reduce((a, b) => grouped.merge(a, b), grouped.init());
    assert.deepEqual(grouped.figures?.(grouped.gather?.(states, counts)), grouped.figures?.(whole));
    assert.deepEqual(grouped.compute(grouped.gather?.(states, counts)), grouped.compute(whole));
  });
});
