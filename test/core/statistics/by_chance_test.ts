/** Gaps by chance beside every way of dealing the rows to the groups, and shares' intervals. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { figuresOf } from "../../../core/statistics/by_chance.ts";
import { hypergeometric } from "../../../blocks/metric/hypergeometric.ts";
import { wilson } from "../../../core/statistics/intervals.ts";
import { measurer } from "../../../core/evaluation/metric_accumulator.ts";
import { createRandom } from "../../../core/math/random.ts";
import type { Metric, MetricInputs, Named } from "../../../core/types.ts";
import { demographicParity } from "../../../plugins/metrics/demographic_parity.ts";
import { disparateImpact } from "../../../plugins/metrics/disparate_impact.ts";
import { equalizedOdds } from "../../../plugins/metrics/equalized_odds.ts";

type Row = MetricInputs["label"];
const fold = (metric: Metric, rows: readonly Row[]): unknown =>
  rows.reduce((state: unknown, row) => metric.update(state, row), metric.init());

/** 12 rows, 4 of them in the north. */
const rows = Array.from({ length: 12 }, (_, i): Row => ({
  prediction: [1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 0][i] ?? 0,
  reference: [1, 0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 0][i] ?? 0,
  columns: { region: i < 4 ? "north" : "south" },
}));

/** The mean of a figure over every way to choose who is in the north. */
function everyWay(metric: Metric, key: string): number {
  const values: number[] = [];
  for (let mask = 0; mask < 2 ** 12; mask++) {
    const north = (i: number): boolean => ((mask >> i) & 1) === 1;
    if (rows.filter((_, i) => north(i)).length !== 4) continue;
    const dealt = rows.map((row, i) => ({ ...row, columns: { region: north(i) ? "north" : "south" } }));
    const dealtFigures = (metric.figures?.(fold(metric, dealt)) as Named<Named<number>>)[metric.name]?.[key];
    if (typeof dealtFigures === "number") values.push(dealtFigures);
  }
  assert.ok(values.length > 247);
  return values.reduce((a, b) => a + b, 0) / values.length;
}

describe("gaps by chance", () => {
  it("are those of every way to deal the rows", () => {
    const cases = [
      [demographicParity({ column: "region" }), "difference"],
      [demographicParity({ column: "region", method: "to_overall" }), "ratio"],
      [equalizedOdds({ column: "region" }), "difference"],
      [disparateImpact({ column: "region", privileged: "south" }), "difference"],
    ] as const;
    for (const [metric, key] of cases) {
      const figures = figuresOf(metric, fold(metric, rows)) as Named<Named<number> & Named<readonly number[]>>;
      const group = figures[metric.name] ?? {};
      const mean = Number(group[`${key}_by_chance`]);
      const [low = NaN, high = NaN] = group[`${key}_by_chance_interval`] as unknown as number[];
      // Of 1,000 draws: the gaps are spread by about 0.2.
      assert.ok(Math.abs(mean - everyWay(metric, key)) < 0.03, `${metric.name} ${key} ${mean}`);
      assert.ok(low <= mean && mean <= high && low < high);
    }
  });

  it("of equal groups are what noise alone gives, and a real gap is outside", () => {
    const many = (bias: number, seed: number): readonly Row[] => {
      const coin = createRandom(seed).fork("rows");
      return Array.from({ length: 400 }, (_, i) => {
        const region = i % 2 === 0 ? "north" : "south";
        return {
          prediction: Number(coin.uniform(i) < (region === "north" ? 0.5 + bias : 0.5)),
          reference: i % 3 === 0 ? 1 : 0,
          columns: { region },
        };
      });
    };
    const metric = demographicParity({ column: "region" });
    type Own = Named<number> & Readonly<{ difference_by_chance_interval: readonly [number, number] }>;
    const of = (bias: number, seed: number): Own =>
      figuresOf(metric, fold(metric, many(bias, seed)))["demographic-parity"] as unknown as Own;
    const outside = (bias: number): number =>
      Array.from({ length: 40 }, (_, seed) => of(bias, seed)).filter((
        { difference, difference_by_chance_interval: [, high] },
      ) => (difference ?? 0) > high).length;
    // E|N(0, 2 p q / 200)| = sqrt(2 / pi) * 0.05.
    assert.ok(Math.abs((of(0, 1).difference_by_chance ?? 0) - 0.0399) < 0.005);
    assert.ok(outside(0) <= 4 && outside(0.3) === 40, `${outside(0)} ${outside(0.3)}`);
    assert.deepEqual(of(0, 1), of(0, 1));
  });

  it("are not said of weighted rows; groups that are left out are not dealt to", () => {
    const weighted = demographicParity({ column: "region", weight: "w" });
    const some = rows.map((row) => ({ ...row, columns: { ...row.columns, w: 2 } }));
    const said = figuresOf(weighted, fold(weighted, some))["demographic-parity"];
    assert.deepEqual(Object.keys(said as object), ["difference", "ratio", "groups"]);
    const many = Array.from(
      { length: 51 },
      (_, i): Row => ({ prediction: i % 2, reference: 1, columns: { region: i } }),
    );
    const all = demographicParity({ column: "region" });
    assert.ok(!Object.hasOwn(figuresOf(all, fold(all, many))["demographic-parity"] as object, "difference_by_chance"));
    assert.ok(
      Object.hasOwn(figuresOf(all, fold(all, many.slice(1)))["demographic-parity"] as object, "difference_by_chance"),
    );
    // Intervals of thousands of groups are refused before they are computed.
    const measured = measurer([all], { keep: true, maxSteps: 1e8 });
    for (let i = 0; i < 4000; i++) measured.add({ prediction: 1, reference: 1, groups: { region: i } });
    assert.throws(() => measured.intervals({ samples: 1000, random: createRandom(1) }), /intervals\.samples/);
    const few = demographicParity({ column: "region", minCount: 5 });
    const fairness = figuresOf(few, fold(few, rows))["demographic-parity"] as Named<number>;
    assert.deepEqual([fairness.difference, fairness.difference_by_chance], [0, 0]);
  });

  it("draw as the hypergeometric distribution has it, large numbers too", () => {
    const random = createRandom(2).fork("draws");
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 20_000; i++) {
      const k = hypergeometric(random.uniform(i), 10, 4, 3);
      counts[k] = (counts[k] ?? 0) + 1;
    }
    // C(4, k) C(6, 3 - k) / C(10, 3)
    [20, 60, 36, 4].forEach((ways, k) => {
      assert.ok(Math.abs((counts[k] ?? 0) / 20_000 - ways / 120) < 0.012, `${k} ${counts[k]}`);
    });
    assert.deepEqual([0, 0.999999].map((u) => hypergeometric(u, 5, 5, 2)), [2, 2]);
    const large = Array.from(
      { length: 500 },
      (_, i) => hypergeometric(random.uniform(i), 2_000_000, 600_000, 1_000_000),
    );
    const mean = large.reduce((a, b) => a + b, 0) / 500;
    const sd = Math.sqrt(large.reduce((a, b) => a + (b - mean) ** 2, 0) / 499);
    assert.ok(Math.abs(mean - 300_000) < 60 && Math.abs(sd / 324.04 - 1) < 0.12, `${mean} ${sd}`);
  });
});

describe("shares of groups", () => {
  it("have Wilson's intervals, of the rows that they are of", () => {
    const metric = equalizedOdds({ column: "region" });
    const measured = measurer([metric], { keep: true });
    for (const { columns, ...row } of rows) measured.add({ ...row, groups: columns });
    const intervals = measured.intervals({ samples: 20, random: createRandom(1) });
    const path = (rate: string): string => ["equalized-odds", "groups", "south", rate].join("\u0000");
    // In the south 1 of 3 positive rows is found, 1 of 5 others is taken for one.
    for (const [rate, right, of] of [["truePositiveRate", 1, 3], ["falsePositiveRate", 1, 5]] as const) {
      const [low, high] = wilson(right, of);
      assert.deepEqual(intervals[path(rate)], { low, high });
    }
  });
});
