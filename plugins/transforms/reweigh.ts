/**
 * Weights that make class and group independent.
 * @module
 */
import * as v from "valibot";
import { eachRow, groupKey, multiplyWeight } from "../../blocks/transform/mod.ts";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";

/** Options of {@link reweigh}. */
export interface ReweighOptions {
  /** The column with the groups. */
  readonly column: string;
  /** The column with the classes. */
  readonly label: string;
}

type Input = Readonly<{ column: string; label?: string }>;
const column = role(v.pipe(v.string(), v.nonEmpty()), { role: "column" });

const NAME = "reweigh";

/** The numbers of rows in each group, in each class, and in each group with each class. */
type Counts = Readonly<
  { total: number; group: Map<string, number>; label: Map<string, number>; both: Map<string, number> }
>;

/**
 * Training rows with a column `weight` after Kamiran and Calders (2012): the probability of a row's group times that of
 * its class, divided by the probability of both together. With these weights group and class are independent. Weights
 * that rows have already are multiplied.
 *
 * @example
 * ```ts
 * import { reweigh } from "attune/transforms/reweigh";
 * console.assert(reweigh({ column: "sex" }).trainOnly === true);
 * ```
 */
export const reweigh: Factory<"transform", Input> = define({
  kind: "transform",
  name: NAME,
  schema: v.strictObject({
    column,
    label: v.optional(column, "label"),
  }),
  create: ({ column, label }: ReweighOptions) => ({
    scope: "row",
    trainOnly: true,
    survey: async (rows): Promise<Counts> => {
      const counts = { total: 0, group: new Map(), label: new Map(), both: new Map() };
      const add = (map: Map<string, number>, key: string): void => void map.set(key, (map.get(key) ?? 0) + 1);
      for await (const item of rows) {
        const [group, labelKey] = [groupKey(NAME, item, column), groupKey(NAME, item, label)];
        counts.total++;
        add(counts.group, group);
        add(counts.label, labelKey);
        add(counts.both, `${group} ${labelKey}`);
      }
      return counts;
    },
    apply: (rows, context, seen) => {
      const { total, group, label: labels, both } = seen as Counts;
      return eachRow(rows, context, (item) => {
        const [g, l] = [groupKey(NAME, item, column), groupKey(NAME, item, label)];
        const weight = (group.get(g) ?? 0) * (labels.get(l) ?? 0) / (total * (both.get(`${g} ${l}`) ?? 1));
        return { row: multiplyWeight(NAME, item, weight), reasons: ["weight"] };
      });
    },
  }),
});
