/** Figures by group beside Fairlearn's and AIF360's (test/fixtures/fairness.py), and what groups refuse. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { bootstrap } from "../../../core/bootstrap.ts";
import { flatMetric, withIntervals } from "../../../core/figures.ts";
import { createRandom } from "../../../core/random.ts";
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

type Gap = Named<number | null>;
type FairnessSet = Readonly<{
  name: string;
  labels: readonly number[];
  predictions: readonly number[];
  attributes: Named<readonly string[]>;
  weights: readonly number[] | null;
  expected: Readonly<{
    byGroup: readonly (Readonly<{ group: readonly string[] }> & Named<number | null | readonly string[]>)[];
    demographicParity: Gap;
    equalOpportunity: Gap;
    equalizedOdds: Gap;
    accuracy: Gap;
    aif360?: Named<Gap>;
  }>;
}>;

const shared = "/work/shared/reference/evaluation/fairness.json";
const files = [new URL("../../fixtures/fairness.json", import.meta.url).pathname, shared];

const near = (found: unknown, expected: number | null | undefined, what: string): void => {
  if (expected === null || expected === undefined) assert.equal(found, null, what);
  else {assert.ok(
      typeof found === "number" && Math.abs(found - expected) <= 1e-12,
      `${what}: ${found} is not ${expected}`,
    );}
};

for (const file of files) {
  const skip = existsSync(file) ? false : `${file} is not there`;
  describe(`figures of ${file.split("/").slice(-2).join("/")}`, { skip }, () => {
    const { sets } = (skip ? { sets: [] } : JSON.parse(readFileSync(file, "utf8"))) as { sets: readonly FairnessSet[] };
    for (const set of sets) it(set.name, () => checkSet(set));
  });
}

function checkSet({ labels, predictions, attributes, weights, expected }: FairnessSet): void {
  const columns = Object.keys(attributes);
  const rows = labels.map((reference, i): MetricInputs["label"] => ({
    reference,
    prediction: predictions[i] ?? 0,
    columns: {
      ...Object.fromEntries(columns.map((name) => [name, attributes[name]?.[i] ?? null])),
      weight: weights?.[i] ?? 1,
    },
  }));
  const given = { columns, ...(weights ? { weight: "weight" } : {}) };
  const of = (metric: Metric): Gap & Readonly<{ groups: Named<Gap> }> => {
    const state = rows.reduce((s, row) => metric.update(s, row), metric.init());
    const figures = (metric.figures?.(state) ?? {})[metric.name] as Gap & Readonly<{ groups: Named<Gap> }>;
    const kind = (metric.options as { kind: string }).kind;
    assert.deepEqual(metric.compute(state), { [metric.name]: figures[kind] });
    return figures;
  };
  for (
    const [make, name] of [[demographicParity, "demographicParity"], [equalOpportunity, "equalOpportunity"], [
      equalizedOdds,
      "equalizedOdds",
    ]] as const
  ) {
    const [between, toOverall] = [of(make(given)), of(make({ ...given, method: "to_overall" }))];
    near(between.difference, expected[name].difference, `${name} difference`);
    near(between.ratio, expected[name].ratio, `${name} ratio`);
    near(toOverall.difference, expected[name].differenceToOverall, `${name} difference to overall`);
    near(toOverall.ratio, expected[name].ratioToOverall, `${name} ratio to overall`);
    for (const { group, count, ...rates } of expected.byGroup.filter((own) => own.count !== 0)) {
      const own = between.groups[group.join(" & ")];
      assert.equal(own?.count, count);
      for (const rate of ["selectionRate", "truePositiveRate", "falsePositiveRate"]) {
        near(own?.[rate], rates[rate] as number, `${group} ${rate}`);
      }
    }
  }
  const mean = of(equalizedOdds({ ...given, agg: "mean" }));
  near(mean.difference, expected.equalizedOdds.differenceMean, "mean of odds");
  near(mean.ratio, expected.equalizedOdds.ratioMean, "mean of odds' ratios");
  for (const [privileged, gap] of Object.entries(expected.aif360 ?? {})) {
    const found = of(disparateImpact({ ...given, privileged }));
    near(found.difference, gap.statisticalParityDifference, "statistical parity");
    near(found.ratio, gap.disparateImpact, "disparate impact");
    for (const name of ["equalOpportunityDifference", "averageOddsDifference", "averageAbsOddsDifference"]) {
      near(found[name], gap[name], name);
    }
  }
  if (weights) return;
  const metric = byGroup({ metric: accuracy(), columns });
  const figures = metric.figures?.(rows.reduce((s, row) => metric.update(s, row), metric.init())) ?? {};
  const groups = figures[`accuracy_by_${columns.join("_")}`] as Named<Gap>;
  for (const { group, count, accuracy: value } of expected.byGroup.filter((own) => own.count !== 0)) {
    assert.equal(groups[group.join(" & ")]?.count, count);
    near(groups[group.join(" & ")]?.value, value as number, `accuracy of ${group}`);
  }
}

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
    assert.throws(() => impact.compute(fold(impact)), /west.*north|south/s);
    const weighted = demographicParity({ column: "region", weight: "w" });
    const zero = rows.map((row) => ({
      ...row,
      columns: { ...row.columns, w: row.columns?.region === "north" ? 0 : 1 },
    }));
    assert.throws(() => weighted.compute(fold(weighted, zero)), /all weights of the group "north" are 0/);
  });
});
