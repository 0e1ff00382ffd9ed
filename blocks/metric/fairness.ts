/** Decisions by group, and their rates, differences and ratios as in Fairlearn and AIF360. */
import * as v from "valibot";
import { AttuneError, badValue } from "../../core/base/errors.ts";
import { hypergeometric } from "./hypergeometric.ts";
import type { Json, MetricInputs, Named, Random, Share } from "../../core/types.ts";
import { role } from "../options/mod.ts";
import { groupColumns, groupEntries, groupOf, type GroupOptions, inOrder } from "./groups.ts";
import type { MetricParts } from "./mean.ts";

/** Options of fairness metrics. */
export interface FairnessOptions extends GroupOptions {
  /** The class of the favourable decision: its number, or its name if classes have names. */
  readonly positive: number | string;
  /** Which of the two is the metric's value; both are reported. */
  readonly kind: "difference" | "ratio";
  /** A column with row weights. */
  readonly weight?: string | undefined;
}

/** Options of fairness metrics that compare groups with each other, or with all rows. */
export interface ParityOptions extends FairnessOptions {
  /** `between_groups`: the largest compared with the smallest; `to_overall`: each compared with all rows. */
  readonly method: "between_groups" | "to_overall";
}

/** Schema entries of {@link FairnessOptions}. */
export const fairnessEntries: typeof groupEntries & {
  readonly positive: v.OptionalSchema<v.GenericSchema<number | string>, 1>;
  readonly weight: v.OptionalSchema<v.GenericSchema<string>, undefined>;
} = {
  ...groupEntries,
  positive: v.optional(v.union([v.pipe(v.number(), v.integer()), v.pipe(v.string(), v.nonEmpty())]), 1),
  weight: v.optional(role(v.pipe(v.string(), v.nonEmpty()), { role: "column" }), undefined),
};

/** Schema entries of {@link ParityOptions}. */
export const parityEntries: typeof fairnessEntries & {
  readonly kind: v.OptionalSchema<v.GenericSchema<"difference" | "ratio">, "difference">;
  readonly method: v.OptionalSchema<v.GenericSchema<"between_groups" | "to_overall">, "between_groups">;
} = {
  ...fairnessEntries,
  kind: v.optional(v.picklist(["difference", "ratio"]), "difference"),
  method: v.optional(v.picklist(["between_groups", "to_overall"]), "between_groups"),
};

/** A group's number of rows, and the sums of their weights as true and false positives and negatives. */
export type Cells = { count: number; tp: number; fp: number; fn: number; tn: number };

/** The rates of a group. */
export type Rates = Readonly<{
  selectionRate: number;
  truePositiveRate: number;
  falsePositiveRate: number;
}>;

/** The value of a fairness metric; null if it is 0/0. */
export type Gap = Readonly<{ difference: number | null; ratio: number | null }>;

type State = { groups: { [name: string]: Cells } };

const none = (): Cells => ({ count: 0, tp: 0, fp: 0, fn: 0, tn: 0 });

/**
 * Returns a metric over the decisions of each group. `gap` computes its values from the groups that are large enough;
 * `check` throws if some group cannot be measured.
 */
export function overGroups(
  plugin: string,
  options: FairnessOptions,
  gap: (groups: Named<Cells>, overall: Cells) => Gap & Named<Json>,
  check: (groups: Named<Cells>) => void = () => {},
): MetricParts {
  const columns = groupColumns(plugin, options);
  const { positive, weight, minCount, kind } = options;
  // A group without weight has no rates.
  const isSaid = (cells: Cells): boolean => cells.count >= minCount && weightIn(cells) > 0;
  const reliableGroups = (state: State): Named<Cells> =>
    Object.fromEntries(inOrder(state.groups).filter(([, cells]) => isSaid(cells)));
  const figuresOf = (state: State): Readonly<{ gap?: Gap & Named<Json>; groups: Named<Json> }> => {
    const groups = reliableGroups(state);
    const shown = inOrder(state.groups).map(([name, cells]): [string, Json] => [
      name,
      isSaid(cells) ? { count: cells.count, ...ratesOf(cells) } : { count: cells.count, leftOut: true },
    ]);
    const any = Object.keys(groups).length > 0;
    const overall = Object.values(groups).reduce(addCells, none());
    return { groups: Object.fromEntries(shown), ...(any ? { gap: gap(groups, overall) } : {}) };
  };
  return {
    reads: ["label"],
    columns: [...columns, ...(weight === undefined ? [] : [weight])],
    greaterIsBetter: kind === "ratio",
    init: (): State => ({ groups: {} }),
    update: (state: State, example: MetricInputs["label"]): State => {
      const name = groupOf(plugin, example, columns);
      const rowWeight = weight === undefined ? 1 : weightOf(plugin, weight, example);
      const [selected, actual] = [example.prediction, example.reference].map((id) =>
        id === idOf(plugin, positive, example)
      );
      if (!Object.hasOwn(state.groups, name)) state.groups[name] = none();
      const cells = state.groups[name] as Cells;
      const cell = selected ? (actual ? "tp" : "fp") : actual ? "fn" : "tn";
      cells.count++;
      cells[cell] += rowWeight;
      return state;
    },
    merge: (a: State, b: State): State => {
      const groups: Record<string, Cells> = {};
      for (const [name, cells] of [...Object.entries(a.groups), ...Object.entries(b.groups)]) {
        groups[name] = addCells(Object.hasOwn(groups, name) ? groups[name] ?? none() : none(), cells);
      }
      return { groups };
    },
    check: ({ groups }: State) => {
      for (const [name, cells] of inOrder(groups)) if (weightIn(cells) === 0) throw weightless(plugin, name);
      check(groups);
    },
    compute: (state: State) => ({ [plugin]: figuresOf(state).gap?.[kind] ?? null }),
    figures: (state: State) => {
      const { gap: found, groups } = figuresOf(state);
      return { [plugin]: { ...(found ?? { difference: null, ratio: null }), groups } };
    },
    // The cells hold sums of weights, which do not determine the rows.
    ...(weight === undefined
      ? {
        regrouped: (state: State, random: Random): State | undefined => {
          const groups = reliableGroups(state);
          return Object.keys(groups).length > DRAWN_GROUPS ? undefined : { groups: redrawn(groups, random) };
        },
        shares: (state: State): readonly Share[] =>
          Object.entries(reliableGroups(state)).flatMap(([name, { count, tp, fp, fn, tn }]) => {
            const share = (rate: keyof Rates, right: number, of: number): Share => ({
              path: [plugin, "groups", name, rate],
              right,
              of,
            });
            return [
              share("selectionRate", tp + fp, count),
              share("truePositiveRate", tp, tp + fn),
              share("falsePositiveRate", fp, fp + tn),
            ];
          }),
      }
      : {}),
  };
}

/** The largest number of groups for the random draws: more groups have a gap anyway, and each draw takes time. */
const DRAWN_GROUPS = 50;

/** Draws groups of the same sizes at random from the rows of all groups. */
function redrawn(groups: Named<Cells>, random: Random): Record<string, Cells> {
  let rest = Object.values(groups).reduce(addCells, none());
  let at = 0;
  return Object.fromEntries(
    Object.entries(groups).map(([name, { count }]) => {
      let [wanted, left] = [count, rest.count];
      const take = (there: number): number => {
        const taken = hypergeometric(random.uniform(at++), left, there, wanted);
        [wanted, left] = [wanted - taken, left - there];
        return taken;
      };
      const [tp, fp, fn] = [take(rest.tp), take(rest.fp), take(rest.fn)];
      const counts = { count, tp, fp, fn, tn: wanted };
      rest = {
        count: rest.count - count,
        tp: rest.tp - tp,
        fp: rest.fp - fp,
        fn: rest.fn - fn,
        tn: rest.tn - counts.tn,
      };
      return [name, counts];
    }),
  );
}

/** Returns the number of the positive class. */
function idOf(plugin: string, positive: number | string, { classes }: MetricInputs["label"]): number {
  if (typeof positive === "number") return positive;
  const id = classes?.indexOf(positive) ?? -1;
  if (id >= 0) return id;
  throw badValue(plugin, "positive", positive, classes ? `one of ${classes.join(", ")}` : "the number of a class");
}

function weightOf(plugin: string, column: string, { columns = {} }: MetricInputs["label"]): number {
  const weight = columns[column];
  if (typeof weight === "number" && weight >= 0 && Number.isFinite(weight)) return weight;
  throw badValue(plugin, column, weight, "a weight of 0 or more");
}

function addCells(a: Cells, b: Cells): Cells {
  return { count: a.count + b.count, tp: a.tp + b.tp, fp: a.fp + b.fp, fn: a.fn + b.fn, tn: a.tn + b.tn };
}

function weightless(plugin: string, name: string): AttuneError {
  return new AttuneError(`All weights of the group "${name}" are 0, so nothing can be said about it`, {
    code: "BAD_VALUE",
    plugin,
    found: 0,
    allowed: ["a weight above 0 among the rows of each group"],
  });
}

const weightIn = ({ tp, fp, fn, tn }: Cells): number => tp + fp + fn + tn;

/** Returns a group's rates; a rate without positive or negative rows is 0, as in scikit-learn and Fairlearn. */
export function ratesOf(cells: Cells): Rates {
  const { tp, fp, fn, tn } = cells;
  const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
  return {
    selectionRate: (tp + fp) / weightIn(cells),
    truePositiveRate: share(tp, tp + fn),
    falsePositiveRate: share(fp, fp + tn),
  };
}

/** Returns the gap of a rate between groups, or between each group and all rows; null for 0/0. */
function gapOf(values: readonly number[], overall: number, method: ParityOptions["method"]): Gap {
  if (method === "between_groups") {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return { difference: high - low, ratio: high === 0 ? null : low / high };
  }
  const ratios = values.flatMap((value) => {
    if (value === 0 && overall === 0) return [];
    const ratio = value / overall;
    return [ratio > 1 ? 1 / ratio : ratio];
  });
  return {
    difference: Math.max(...values.map((value) => Math.abs(value - overall))),
    ratio: ratios.length === 0 ? null : Math.min(...ratios),
  };
}

/** Returns the gap of one rate over all groups. */
export function parityOf(
  rate: keyof Rates,
  groups: Named<Cells>,
  overall: Cells,
  method: ParityOptions["method"],
): Gap {
  const values = Object.values(groups).map((cells) => ratesOf(cells)[rate]);
  return gapOf(values, ratesOf(overall)[rate], method);
}
