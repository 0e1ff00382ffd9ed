/** Figures by group beside Fairlearn's and AIF360's (test/fixtures/fairness.py), and what groups refuse. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { bootstrap } from "../../../core/statistics/bootstrap.ts";
import { measurer } from "../../../core/evaluation/metric_accumulator.ts";
import { collectStatistics } from "../../../core/evaluation/row_statistics.ts";
import { flatMetric, withIntervals } from "../../../core/statistics/figures.ts";
import { createRandom } from "../../../core/math/random.ts";
import type { Json, Metric, MetricInputs, Named } from "../../../core/types.ts";
import { accuracy } from "../../../plugins/metrics/accuracy.ts";
import { byGroup } from "../../../plugins/metrics/by_group.ts";
import { demographicParity } from "../../../plugins/metrics/demographic_parity.ts";
import { disparateImpact } from "../../../plugins/metrics/disparate_impact.ts";
import { equalOpportunity } from "../../../plugins/metrics/equal_opportunity.ts";
import { equalizedOdds } from "../../../plugins/metrics/equalized_odds.ts";
import { f1 } from "../../../plugins/metrics/f1.ts";
import { checksOf } from "../../../conformance/mod.ts";
import { itPasses } from "../../checks.ts";
import { fairnessChecks } from "../../reference/evaluation/fairness.ts";
import { itHolds } from "../../reference/evaluation/mod.ts";

const figures = JSON.parse(readFileSync(new URL("../../fixtures/fairness.json", import.meta.url), "utf8"));
itPasses("figures of Fairlearn and AIF360", fairnessChecks(figures.sets));
await itHolds("fairness");

const region = (i: number): string => (i % 3 === 0 ? "north" : "south");
const rows = Array.from({ length: 12 }, (_, i): MetricInputs["label"] => ({
  prediction: i % 2,
  reference: i % 4 === 0 ? 1 : i % 2,
  columns: { region: region(i), sex: i % 5 === 0 ? "f" : "m" },
  classes: ["no", "yes"],
}));
for (
  const metric of [
    byGroup({ metric: accuracy(), column: "region" }),
    byGroup({ metric: f1({ average: "macro" }), columns: ["region", "sex"], minCount: 2 }),
    demographicParity({ column: "region", positive: "yes" }),
    equalOpportunity({ column: "region", kind: "ratio" }),
    equalizedOdds({ columns: ["region", "sex"], agg: "mean", method: "to_overall" }),
    disparateImpact({ column: "region", privileged: "south" }),
  ]
) {
  itPasses(`${metric.name} by ${metric.columns?.join(", ")}`, checksOf(metric, { readings: rows }));
}

const fold = (metric: Metric, some: readonly MetricInputs["label"][] = rows): unknown =>
  some.reduce((state, row) => metric.update(state, row), metric.init());

describe("groups", () => {
  it("have the shapes of metrics.json; small ones are left out", () => {
    const metric = byGroup({ metric: accuracy(), column: "region", minCount: 5 });
    assert.deepEqual(metric.figures?.(fold(metric)), {
      accuracy_by_region: { north: { value: null, count: 4 }, south: { value: 6 / 8, count: 8 } },
    });
    assert.deepEqual(metric.compute(fold(metric)), { accuracy_by_region: 6 / 8 });
    const parity = demographicParity({ column: "region", minCount: 5 });
    assert.deepEqual(parity.figures?.(fold(parity)), {
      "demographic-parity": {
        difference: 0,
        ratio: 1,
        groups: {
          north: { count: 4, leftOut: true },
          south: { count: 8, selectionRate: 0.5, truePositiveRate: 4 / 6, falsePositiveRate: 0 },
        },
      },
    });
  });

  it("get an interval beside each number, counts none", () => {
    const metric = flatMetric(byGroup({ metric: accuracy(), column: "region" }));
    const intervals = bootstrap(metric, rows, { samples: 50, random: createRandom(1) });
    const own = withIntervals(metric.figures?.(fold(metric)) as Named<Json>, intervals);
    const { south } = own.accuracy_by_region as Named<Named<Json>>;
    assert.deepEqual(Object.keys(south ?? {}), ["value", "value_interval", "count"]);
    const [low = 1, high = 0] = south?.value_interval as number[];
    assert.ok(low <= 6 / 8 && high >= 6 / 8 && low < high, `${low} ${high}`);
  });

  it("refuse rows without a value, options without a column, and classes that are not there", () => {
    const metric = byGroup({ metric: accuracy(), column: "age" });
    assert.throws(() => fold(metric), /by-group.*column "age" \(there are region, sex\)/s);
    for (const options of [{ metric: accuracy() }, { metric: accuracy(), column: "a", columns: ["b"] }]) {
      assert.throws(() => byGroup(options), /either column or columns/);
    }
    const parity = demographicParity({ column: "region", positive: "maybe" });
    assert.throws(() => fold(parity), /positive: expected one of no, yes but found "maybe"/);
    const impact = disparateImpact({ column: "region", privileged: "west" });
    assert.throws(() => impact.check?.(fold(impact)), /west.*north|south/s);
    const weighted = demographicParity({ column: "region", weight: "w" });
    const zero = rows.map((row) => ({
      ...row,
      columns: { ...row.columns, w: row.columns?.region === "north" ? 0 : 1 },
    }));
    assert.throws(() => weighted.check?.(fold(weighted, zero)), /All weights of the group "north" are 0/);
  });
});

it("combinations of values that read alike are groups of their own", () => {
  const metric = demographicParity({ columns: ["a", "b"] });
  const row = (a: string, b: string): MetricInputs["label"] => ({ prediction: 1, reference: 1, columns: { a, b } });
  const state = [row("x & y", "z"), row("x", "y & z"), row("x", "z")].reduce(
    (own: unknown, example) => metric.update(own, example),
    metric.init(),
  );
  const { groups } = metric.figures?.(state)["demographic-parity"] as unknown as { groups: object };
  assert.deepEqual(Object.keys(groups), ['"x & y" & z', 'x & "y & z"', "x & z"]);
});

it("what single rows and resamples lack is missing there, and said of all rows alone", () => {
  const rows = Array.from({ length: 60 }, (_, i): MetricInputs["label"] => ({
    prediction: Number(i % 3 === 0),
    reference: Number(i % 2 === 0),
    // Of the privileged there are few, so that some resamples have none.
    columns: { sex: i % 20 === 0 ? "m" : "f", weight: i % 7 === 0 ? 0 : 1 },
  }));
  const impact = disparateImpact({ column: "sex", privileged: "m" });
  const { low, high } = bootstrap(impact, rows, { samples: 300, random: createRandom(1) })["disparate-impact"] ?? {};
  assert.ok(typeof low === "number" && typeof high === "number" && low <= high);
  // A single row that weighs nothing says nothing, and is no error before all are seen.
  const weighed = demographicParity({ column: "sex", weight: "weight" });
  const collector = collectStatistics([weighed, impact], undefined);
  collector.add({
    rows: rows.map((_, i) => i),
    readings: { label: rows },
    columns: rows.map(({ columns }) => columns),
  });
  assert.deepEqual(collector.end().map(({ rows }) => rows), [60, 60]);
  const measured = measurer([disparateImpact({ column: "sex", privileged: "x" })]);
  for (const { prediction, reference, columns } of rows) measured.add({ prediction, reference, groups: columns });
  assert.throws(() => measured.compute(), /privileged.*"x".*Allowed: "f", "m"/);
  const weightless = measurer([weighed]);
  weightless.add({ prediction: 1, reference: 1, groups: { sex: "f", weight: 0 } });
  assert.throws(() => weightless.compute(), /All weights of the group "f" are 0/);
});
