/**
 * Balances the number of rows, or the weight, of classes.
 * @module
 */
import * as v from "valibot";
import { eachRow, groupKey, groupRows, multiplyWeight, type RowGroups } from "../../blocks/transform/mod.ts";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { permutation } from "../../core/math/random.ts";
import type { Factory, Random, TransformContext, TransformRow } from "../../core/types.ts";

/** Options of {@link balance}. */
export interface BalanceOptions {
  /**
   * `over`: repeat rows of smaller classes until all are as large as the largest. `under`: drop rows of larger classes
   * until all are as small as the smallest. `weights`: give every row the weight n / (k n_k). `temperature`: give
   * classes shares in proportion to n_k^(1/temperature).
   */
  readonly method: "over" | "under" | "weights" | "temperature";
  /** The column with the classes. */
  readonly column: string;
  /** 1 keeps the shares as they are; larger values make them more equal. */
  readonly temperature: number;
  /** With `temperature`: the largest number of rows that a class counts as, as in T5's mixing; null: no limit. */
  readonly cap: number | null;
  /** The number of resulting rows. null: as the method implies; with `temperature`, as many as before. */
  readonly rows: number | null;
}

type Input = Partial<BalanceOptions>;

const NAME = "balance";

/**
 * Training rows with balanced classes: rows are repeated or dropped at random, or get a column `weight`, which every
 * loss reads. Repetitions of a row are adjacent.
 *
 * @example
 * ```ts
 * import { balance } from "attune/transforms/balance";
 * console.assert(balance({ method: "weights" }).trainOnly === true);
 * ```
 */
export const balance: Factory<"transform", Input> = define({
  kind: "transform",
  name: NAME,
  schema: v.pipe(
    v.strictObject({
      method: v.optional(v.picklist(["over", "under", "weights", "temperature"]), "over"),
      column: v.optional(role(v.pipe(v.string(), v.nonEmpty()), { role: "column" }), "label"),
      temperature: v.optional(v.pipe(v.number(), v.minValue(1)), 2),
      cap: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1))), null),
      rows: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1))), null),
    }),
    v.check(
      ({ method, rows }) => method !== "weights" || rows === null,
      'no `rows` with the method "weights", which keeps all rows',
    ),
  ),
  create: (options: BalanceOptions) => ({
    scope: options.method === "weights" ? "row" : "choice",
    trainOnly: true,
    survey: (rows) => groupRows(NAME, rows, options.column),
    apply: (rows, context, seen) => {
      const groups = seen as RowGroups;
      return options.method === "weights"
        ? weighted(rows, context, groups, options.column)
        : repeated(rows, context, groups, options);
    },
  }),
});

/** Adds to each row the weight of its class. */
function weighted(
  rows: AsyncIterable<TransformRow>,
  context: TransformContext,
  { keys, sizes }: RowGroups,
  column: string,
): AsyncIterable<TransformRow> {
  const weights = classWeights(sizes);
  const byKey = new Map(keys.map((key, i) => [key, weights[i] ?? 1]));
  return eachRow(rows, context, (item) => {
    const weight = byKey.get(groupKey(NAME, item, column)) ?? 1;
    return { row: multiplyWeight(NAME, item, weight), reasons: ["weight"] };
  });
}

/** Returns n / (k n_k) for each class, as scikit-learn's "balanced". */
export function classWeights(sizes: readonly number[]): number[] {
  const total = sizes.reduce((a, b) => a + b, 0);
  return sizes.map((size) => total / (sizes.length * size));
}

/** Repeats or drops rows according to their class's share. */
async function* repeated(
  rows: AsyncIterable<TransformRow>,
  context: TransformContext,
  groups: RowGroups,
  options: BalanceOptions,
): AsyncIterable<TransformRow> {
  const times = timesOf(groups, rowsPerClass(groups.sizes, options), context.random);
  let at = 0;
  for await (const item of rows) {
    const n = times[at++] ?? 0;
    if (n === 0) context.note(item, "dropped", "balanced");
    for (let i = 0; i < n; i++) {
      if (i > 0) context.note(item, "added", "repeated");
      yield item;
    }
  }
}

/** Returns the final number of rows of each class. */
export function rowsPerClass(
  sizes: readonly number[],
  { method, temperature, cap, rows }: Omit<BalanceOptions, "column">,
): number[] {
  if (sizes.length === 0) return [];
  const total = sizes.reduce((a, b) => a + b, 0);
  if (method === "temperature") return apportioned(temperatureShares(sizes, temperature, cap), rows ?? total);
  if (rows !== null) return apportioned(sizes.map(() => 1 / sizes.length), rows);
  const each = method === "over" ? Math.max(...sizes) : Math.min(...sizes);
  return sizes.map(() => each);
}

/** Returns shares in proportion to n^(1/temperature), where n is at most `cap`. */
export function temperatureShares(sizes: readonly number[], temperature: number, cap: number | null): number[] {
  const parts = sizes.map((size) => Math.pow(cap === null ? size : Math.min(size, cap), 1 / temperature));
  const total = parts.reduce((a, b) => a + b, 0);
  return parts.map((part) => part / total);
}

/** Divides an integer in proportion to shares: rounded down, with the rest to the largest remainders. */
function apportioned(shares: readonly number[], sum: number): number[] {
  const exact = shares.map((share) => share * sum);
  const counts = exact.map(Math.floor);
  const order = exact.map((_, i) => i).sort((a, b) =>
    (exact[b] ?? 0) - (counts[b] ?? 0) - ((exact[a] ?? 0) - (counts[a] ?? 0)) || a - b
  );
  let left = sum - counts.reduce((a, b) => a + b, 0);
  for (const i of order) {
    if (left-- > 0) counts[i] = (counts[i] ?? 0) + 1;
  }
  return counts;
}

/** Returns how often each row occurs: equally often within a class, and some, drawn at random, once more. */
function timesOf({ sizes, of }: RowGroups, targets: readonly number[], random: Random): Uint32Array {
  const members = sizes.map((size) => new Int32Array(size));
  const filled = sizes.map(() => 0);
  of.forEach((group, row) => {
    const at = filled[group] ?? 0;
    (members[group] as Int32Array)[at] = row;
    filled[group] = at + 1;
  });
  const times = new Uint32Array(of.length);
  members.forEach((rows, group) => {
    const target = targets[group] ?? 0;
    const whole = Math.floor(target / rows.length);
    for (const row of rows) times[row] = whole;
    const order = permutation(random.fork("class", group), rows.length);
    for (const place of order.subarray(0, target - whole * rows.length)) {
      const row = rows[place] ?? 0;
      times[row] = (times[row] ?? 0) + 1;
    }
  });
  return times;
}
