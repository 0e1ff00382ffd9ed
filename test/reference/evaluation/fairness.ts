/** Figures by group beside Fairlearn's and AIF360's. */
import assert from "node:assert/strict";
import { type Check, check } from "../../../conformance/check.ts";
import type { Metric, MetricInputs, Named } from "../../../core/types.ts";
import { accuracy } from "../../../plugins/metrics/accuracy.ts";
import { byGroup } from "../../../plugins/metrics/by_group.ts";
import { demographicParity } from "../../../plugins/metrics/demographic_parity.ts";
import { disparateImpact } from "../../../plugins/metrics/disparate_impact.ts";
import { equalOpportunity } from "../../../plugins/metrics/equal_opportunity.ts";
import { equalizedOdds } from "../../../plugins/metrics/equalized_odds.ts";

type Gap = Named<number | null>;
/** Labels, predictions and groups, and what the libraries make of them. */
export type FairnessSet = Readonly<{
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

/** Every figure within 1e-12. */
export function fairnessChecks(sets: readonly FairnessSet[]): Check[] {
  return sets.map((set) => check(set.name, () => checkSet(set)));
}

const near = (actual: unknown, expected: number | null | undefined, what: string): void => {
  if (expected === null || expected === undefined) assert.equal(actual, null, what);
  else {assert.ok(
      typeof actual === "number" && Math.abs(actual - expected) <= 1e-12,
      `${what}: ${actual} is not ${expected}`,
    );}
};

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
  const options = { columns, ...(weights ? { weight: "weight" } : {}) };
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
    const [between, toOverall] = [of(make(options)), of(make({ ...options, method: "to_overall" }))];
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
  const mean = of(equalizedOdds({ ...options, agg: "mean" }));
  near(mean.difference, expected.equalizedOdds.differenceMean, "mean of odds");
  near(mean.ratio, expected.equalizedOdds.ratioMean, "mean of odds' ratios");
  for (const [privileged, gap] of Object.entries(expected.aif360 ?? {})) {
    const impact = of(disparateImpact({ ...options, privileged }));
    near(impact.difference, gap.statisticalParityDifference, "statistical parity");
    near(impact.ratio, gap.disparateImpact, "disparate impact");
    for (const name of ["equalOpportunityDifference", "averageOddsDifference", "averageAbsOddsDifference"]) {
      near(impact[name], gap[name], name);
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
