/**
 * Splits a dataset into train, eval and test.
 * @module
 */
import * as v from "valibot";
import { groupKey } from "../../blocks/transform/mod.ts";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import { permutation } from "../../core/math/random.ts";
import type { Factory, Random, SplitName, TransformRow } from "../../core/types.ts";

/** Options of {@link split}. */
export interface SplitOptions {
  /** The share or number of rows of each split; some rows may be left over. */
  readonly sizes: Readonly<Partial<Record<SplitName, number>>>;
  /** A column whose distribution is preserved in every split. null: none. */
  readonly stratify: string | null;
  /** A column whose values are kept together in one split. null: none. */
  readonly group: string | null;
}

type Input = Partial<SplitOptions>;
const size = v.pipe(v.number(), v.gtValue(0));
const column = v.nullable(role(v.pipe(v.string(), v.nonEmpty()), { role: "column" }));

const NAME = "split";

/**
 * Divides the rows of `data.train` into splits by the run's seed; rows keep their order. It runs before the other
 * transforms. With `stratify` each value of a column has its share in every split, with `group` rows of one value are
 * in one split; with both, whole groups are distributed so that shares are met as closely as possible.
 *
 * @throws AttuneError if a split would have no rows.
 * @example
 * ```ts
 * import { split } from "attune/transforms/split";
 * console.assert(split({ sizes: { train: 0.9, test: 0.1 } }).makes?.join() === "train,test");
 * ```
 */
export const split: Factory<"transform", Input> = define({
  kind: "transform",
  name: NAME,
  schema: v.strictObject({
    sizes: v.optional(
      v.pipe(
        v.strictObject({ train: size, eval: v.optional(size), test: v.optional(size) }),
        v.check(({ train, ...others }) => {
          const all = [train, ...Object.values(others)];
          const shares = all.every((one) => one <= 1);
          return shares ? all.reduce((a, b) => a + b, 0) <= 1 + 1e-9 : all.every(Number.isInteger);
        }, "shares that add up to at most 1, or whole numbers of rows"),
        v.check((sizes) => Object.keys(sizes).length > 1, "train, and eval or test"),
      ),
      { train: 0.8, eval: 0.1, test: 0.1 },
    ),
    stratify: v.optional(column, null),
    group: v.optional(column, null),
  }) as v.GenericSchema<Input, SplitOptions>,
  create: ({ sizes, stratify, group }: SplitOptions) => {
    const names = (["train", "eval", "test"] as const).filter((name) => sizes[name] !== undefined);
    return {
      scope: "row",
      makes: names,
      survey: async (rows, { random }) => {
        const units = await unitsOf(rows, stratify, group);
        return partsOf(units, names.map((name) => sizes[name] ?? 0), random, names);
      },
      apply: async function* (rows, context, seen) {
        const parts = seen as Uint8Array;
        const position = names.indexOf(context.split ?? "train");
        for await (const item of rows) {
          const part = parts[item.index] ?? names.length;
          if (part === position) yield item;
          else context.note(item, "dropped", part < names.length ? `in ${names[part]}` : "in no split");
        }
      },
    };
  },
});

/** Rows that stay together (a group, or a single row); `counts`: rows by stratum. */
type Unit = Readonly<{ rows: number[]; counts: number[] }>;

async function unitsOf(
  rows: AsyncIterable<TransformRow>,
  stratify: string | null,
  group: string | null,
): Promise<readonly Unit[]> {
  const units = new Map<string | number, Unit>();
  const strata = new Map<string, number>();
  for await (const item of rows) {
    const key = group === null ? item.index : groupKey(NAME, item, group);
    const value = stratify === null ? "" : groupKey(NAME, item, stratify);
    const stratum = strata.get(value) ?? strata.size;
    strata.set(value, stratum);
    const unit = units.get(key) ?? { rows: [], counts: [] };
    units.set(key, unit);
    unit.rows.push(item.index);
    unit.counts[stratum] = (unit.counts[stratum] ?? 0) + 1;
  }
  return [...units.values()];
}

/** Returns the part of each row; the number of parts if it is in none. Throws AttuneError if a part would be empty. */
function partsOf(
  units: readonly Unit[],
  sizes: readonly number[],
  random: Random,
  names: readonly SplitName[],
): Uint8Array {
  const total = units.reduce((n, unit) => n + unit.rows.length, 0);
  const parts = new Uint8Array(total).fill(sizes.length);
  if (total === 0) return parts;
  const isCount = sizes.some((one) => one > 1);
  const wanted = sizes.reduce((a, b) => a + b, 0);
  if (isCount && wanted > total) {
    throw badValue(NAME, "sizes", sizes, `sizes that add up to ${total}, the number of rows`);
  }
  const shares = sizes.map((one) => (isCount ? one / total : one));
  const rest = 1 - shares.reduce((a, b) => a + b, 0);
  const filled = rest > 1e-9 ? [...shares, rest] : shares;
  for (const [part, unit] of dealt(units, filled, random)) for (const row of unit.rows) parts[row] = part;
  const counts = sizes.map((_, part) => parts.reduce((n, own) => n + Number(own === part), 0));
  const empty = counts.indexOf(0);
  if (empty >= 0) {
    throw badValue(
      NAME,
      `sizes.${names[empty]}`,
      sizes[empty],
      `a size that leaves rows in every split of ${total} rows`,
    );
  }
  return parts;
}

/**
 * Yields each unit with its part: in random order, large ones first, each goes to the part that lacks most of what it
 * has. With single rows, every part gets its share of each stratum, to within a row.
 */
function* dealt(units: readonly Unit[], shares: readonly number[], random: Random): Generator<[number, Unit]> {
  const strata = Math.max(...units.map(({ counts }) => counts.length));
  const sums = Array.from({ length: strata }, (_, s) => units.reduce((n, { counts }) => n + (counts[s] ?? 0), 0));
  const total = sums.reduce((a, b) => a + b, 0);
  const assigned = shares.map(() => sums.map(() => 0));
  const sizes = shares.map(() => 0);
  const order = [...permutation(random.fork("units"), units.length)].map((i) => units[i] as Unit);
  order.sort((a, b) => b.rows.length - a.rows.length);
  for (const unit of order) {
    const lacks = (part: number): number => {
      const share = shares[part] ?? 0;
      const byStratum = unit.counts.reduce(
        (n, count, s) => n + count * (share * (sums[s] ?? 0) - (assigned[part]?.[s] ?? 0)) / (sums[s] ?? 1),
        0,
      );
      // Among parts that lack equally much of its strata, prefers the one that lacks most rows.
      return byStratum / unit.rows.length + (share * total - (sizes[part] ?? 0)) / total / 1e3;
    };
    const part = shares.reduce((best, _, i) => (lacks(i) > lacks(best) + 1e-12 ? i : best), 0);
    sizes[part] = (sizes[part] ?? 0) + unit.rows.length;
    unit.counts.forEach((count, s) => ((assigned[part] as number[])[s] = (assigned[part]?.[s] ?? 0) + count));
    yield [part, unit];
  }
}
