/**
 * Disparate impact.
 * @module
 */
import * as v from "valibot";
import {
  type Cells,
  fairnessEntries,
  type FairnessOptions,
  type Gap,
  overGroups,
  ratesOf,
} from "../../blocks/metric/mod.ts";
import { define } from "../../core/spec/define.ts";
import { unknownName } from "../../core/base/errors.ts";
import type { Factory, Json, Named } from "../../core/types.ts";

/** Options of {@link disparateImpact}. */
export interface DisparateImpactOptions extends FairnessOptions {
  /** The group that all others are compared with; for several columns, their values joined with ` & `. */
  readonly privileged: string;
}

type Input = Partial<DisparateImpactOptions> & Pick<DisparateImpactOptions, "privileged">;

/**
 * The share of others that is selected, divided by that of the privileged group, as AIF360 counts it: `ratio` (0 where
 * nobody of the privileged is selected; not turned below 1), `difference`, and the differences of opportunity and odds.
 * The four-fifths rule asks for a ratio from 0.8 to 1.25.
 *
 * @throws AttuneError if no row is of the privileged group, or a row has no value of the column.
 * @example
 * ```ts
 * import { disparateImpact } from "attune/metrics/disparate-impact";
 * const metric = disparateImpact({ column: "region", privileged: "south" });
 * const rows = [[1, "north"], [0, "north"], [1, "south"], [1, "south"]] as const;
 * const state = rows.reduce(
 *   (s, [prediction, region]) => metric.update(s, { prediction, reference: 1, columns: { region } }),
 *   metric.init(),
 * );
 * console.assert(metric.compute(state)["disparate-impact"] === 0.5);
 * ```
 */
export const disparateImpact: Factory<"metric", Input> = define({
  kind: "metric",
  name: "disparate-impact",
  schema: v.strictObject({
    ...fairnessEntries,
    kind: v.optional(v.picklist(["difference", "ratio"]), "ratio"),
    privileged: v.pipe(v.union([v.string(), v.number(), v.boolean()]), v.transform(String)),
  }) as v.GenericSchema<Input, DisparateImpactOptions>,
  create: (options: DisparateImpactOptions) => {
    const { privileged } = options;
    return overGroups("disparate-impact", options, (groups) => impact(groups, privileged), (groups) => {
      if (Object.hasOwn(groups, privileged) || Object.keys(groups).length === 0) return;
      throw unknownName("disparate-impact", "privileged", "group", privileged, Object.keys(groups).sort());
    });
  },
});

function specificity({ fp, tn }: Cells): number {
  return fp + tn === 0 ? 0 : tn / (fp + tn);
}

function impact(groups: Named<Cells>, privileged: string): Gap & Named<Json> {
  // A resample may have no rows of the group, or too few.
  const group = Object.hasOwn(groups, privileged) ? groups[privileged] : undefined;
  const others = Object.entries(groups).filter(([name]) => name !== privileged).map(([, cells]) => cells);
  if (!group || others.length === 0) return { difference: null, ratio: null };
  const all = others.reduce((a, b) => ({
    count: a.count + b.count,
    tp: a.tp + b.tp,
    fp: a.fp + b.fp,
    fn: a.fn + b.fn,
    tn: a.tn + b.tn,
  }));
  const [a, b] = [ratesOf(all), ratesOf(group)];
  const [right, wrong] = [
    a.truePositiveRate - b.truePositiveRate,
    // AIF360 uses specificity, which is 0 without negatives, where Fairlearn uses the false positive rate.
    specificity(group) - specificity(all),
  ];
  return {
    difference: a.selectionRate - b.selectionRate,
    ratio: b.selectionRate === 0 ? 0 : a.selectionRate / b.selectionRate,
    equalOpportunityDifference: right,
    averageOddsDifference: (wrong + right) / 2,
    averageAbsOddsDifference: (Math.abs(wrong) + Math.abs(right)) / 2,
  };
}
