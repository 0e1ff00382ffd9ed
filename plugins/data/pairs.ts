/**
 * Pairs of labelled rows, which are similar if their labels are the same.
 * @module
 */
import * as v from "valibot";
import { pluginOption } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import { sha256 } from "../../core/base/sha256.ts";
import type { SeekableRows } from "../../core/data/seekable_rows.ts";
import { createRandom, permutation, seekablePermutation } from "../../core/math/random.ts";
import type { Dataset, Factory, Row } from "../../core/types.ts";
import { knownOf, openNumbered } from "../../blocks/data/mod.ts";

/** Options of {@link pairs}. */
export interface PairsOptions {
  /** Rows with `text` and `label`. */
  readonly source: Dataset;
  /**
   * How many pairs of each kind: as many as of the more frequent kind, repeating the other; as many as of the rarer
   * kind; or every pair once.
   */
  readonly samplingStrategy: "oversampling" | "undersampling" | "unique";
  /** The largest number of pairs; null: no limit. */
  readonly maxPairs: number | null;
  /** Of the order. */
  readonly seed: number;
  /** Names of the columns, if they differ. */
  readonly columns: Readonly<Record<string, string>>;
}

type Input = Readonly<{ source: unknown }> & Partial<Omit<PairsOptions, "source">>;

/**
 * `text`, `textPair` and `score`, 1 for two rows of one label and 0 for two of different ones, in a seeded order: what
 * SetFit's contrastive stage learns from (Tunstall et al. 2022). As there, a row also pairs with itself. Pairs are made as
 * they are read: memory is some forty bytes per row, however many there are.
 *
 * @throws AttuneError from `open` if a row has no text or label, or all have the same.
 * @example
 * ```ts
 * import { memory } from "attune/data/memory";
 * import { pairs } from "attune/data/pairs";
 * const rows = [{ text: "fine", label: "good" }, { text: "poor", label: "bad" }];
 * console.assert(pairs({ source: memory({ rows }) }).name === "pairs");
 * ```
 */
export const pairs: Factory<"data", Input> = define({
  kind: "data",
  name: "pairs",
  schema: v.strictObject({
    source: pluginOption("data", "a dataset"),
    samplingStrategy: v.optional(v.picklist(["oversampling", "undersampling", "unique"]), "oversampling"),
    maxPairs: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1))), null),
    seed: v.optional(v.pipe(v.number(), v.integer()), 42),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  }) as v.GenericSchema<Input, PairsOptions>,
  create: ({ source, ...options }: PairsOptions) => ({
    open: async (host) => {
      const opened = await openNumbered(source, host);
      const { count, pairAt } = await pairsOf(opened, options);
      const texts = options.columns.text ?? "text";
      const at = async (indices: readonly number[]): Promise<readonly Row[]> => {
        const pairs = indices.map((index) => {
          if (Number.isInteger(index) && index >= 0 && index < count) return pairAt(index);
          throw badValue("data", "row", index, `a row from 0 to ${count - 1}`);
        });
        const rows = await opened.at(pairs.flatMap(({ a, b }) => [a, b]));
        return pairs.map(({ score }, i) => ({ text: rows[2 * i]?.[texts], textPair: rows[2 * i + 1]?.[texts], score }));
      };
      const where = async (index: number): Promise<string> => {
        const { a, b } = pairAt(index);
        return (await Promise.all([a, b].map(async (row) => await opened.where?.(row) ?? `row ${row}`))).join(" with ");
      };
      // The columns of pairs are not those of the rows.
      const { classes: _, ...known } = knownOf([opened], ["source"]);
      return {
        ...known,
        length: count,
        fingerprint: await sha256(`${opened.fingerprint} pairs ${JSON.stringify(options)}`),
        at,
        where,
        read: async function* (from) {
          for (let start = from?.at ?? 0; start < count; start += AT_ONCE) {
            const indices = Array.from({ length: Math.min(AT_ONCE, count - start) }, (_, i) => start + i);
            for (const [i, row] of (await at(indices)).entries()) yield { row, next: { at: start + i + 1 } };
          }
        },
      };
    },
  }),
});

/** Number of pairs made at once when reading in order. */
const AT_ONCE = 256;

/** Up to this number of pairs the order is a table, above it a permutation that needs no memory. */
const TABLE = 2 ** 17;

/** The largest number of pairs: numbers of rows are below 2 ** 31. */
const MOST_PAIRS = 2 ** 31 - 1;

/** The numbers of two rows, and whether their labels are the same. */
type Pair = Readonly<{ a: number; b: number; score: 0 | 1 }>;

/** Returns the number of pairs, and each pair by its number, in a seeded order; needs a few bytes per row. */
async function pairsOf(
  opened: SeekableRows,
  { samplingStrategy, maxPairs, seed, columns }: Omit<PairsOptions, "source">,
): Promise<Readonly<{ count: number; pairAt: (index: number) => Pair }>> {
  const groups = await groupsOf(opened, columns);
  if (groups.keys.length < 2) throw badValue("pairs", "label", groups.keys, "rows of two labels at least");
  const [alike, unlike] = [numberedPairs(groups, true), numberedPairs(groups, false)];
  const random = createRandom(seed).fork("pairs");
  const mixed = (name: string, length: number): (place: number) => number => {
    if (length > TABLE) return seekablePermutation(random.fork(name), length);
    const order = permutation(random.fork(name), length);
    return (place) => order[place] ?? 0;
  };
  const [more, fewer] = [Math.max(alike.count, unlike.count), Math.min(alike.count, unlike.count)];
  const half = maxPairs === null ? Infinity : Math.ceil(maxPairs / 2);
  const taken = ({ count }: NumberedPairs): number =>
    Math.min(half, samplingStrategy === "unique" ? count : samplingStrategy === "oversampling" ? more : fewer);
  const [same, all] = [taken(alike), taken(alike) + taken(unlike)];
  const count = Math.min(all, maxPairs ?? all);
  if (count > MOST_PAIRS) {
    throw badValue("pairs", "maxPairs", maxPairs, `a limit: there are ${all} pairs of these rows`);
  }
  const [alikeAt, unlikeAt] = [mixed("alike", alike.count), mixed("unlike", unlike.count)];
  const orderAt = mixed("order", all);
  return {
    count,
    pairAt: (index) => {
      const place = orderAt(index);
      return place < same
        ? { ...alike.at(alikeAt(place % alike.count)), score: 1 }
        : { ...unlike.at(unlikeAt((place - same) % unlike.count)), score: 0 };
    },
  };
}

/** The label of each row, and the rows of each label in order. */
type Groups = Readonly<{ keys: readonly string[]; of: Uint32Array; rows: readonly Uint32Array[] }>;

async function groupsOf(opened: SeekableRows, columns: PairsOptions["columns"]): Promise<Groups> {
  const read = (row: Row, index: number, name: string): unknown => {
    const value = row[columns[name] ?? name];
    if (value !== undefined) return value;
    throw badValue("pairs", `row ${index}`, Object.keys(row), `a column "${columns[name] ?? name}"`);
  };
  const numbers = new Map<string, number>();
  const sizes: number[] = [];
  const of = new Uint32Array(opened.length);
  let at = 0;
  for await (const { row } of opened.read()) {
    read(row, at, "text");
    const key = JSON.stringify(read(row, at, "label"));
    const group = numbers.get(key) ?? numbers.size;
    numbers.set(key, group);
    sizes[group] = (sizes[group] ?? 0) + 1;
    of[at++] = group;
  }
  const rows = sizes.map((size) => new Uint32Array(size));
  const filled = new Uint32Array(sizes.length);
  of.forEach((group, row) => {
    const place = filled[group] ?? 0;
    filled[group] = place + 1;
    const list = rows[group];
    if (list) list[place] = row;
  });
  return { keys: [...numbers.keys()], of, rows };
}

/** Pairs by number, sorted by the first row, then by the second, which does not precede it. */
type NumberedPairs = Readonly<{ count: number; at(number: number): Readonly<{ a: number; b: number }> }>;

/** Numbers all pairs with the same label (each row also with itself), or all pairs with different labels. */
function numberedPairs({ of, rows }: Groups, isAlike: boolean): NumberedPairs {
  /** The position of each row among those of its label. */
  const places = new Uint32Array(of.length);
  for (const list of rows) list.forEach((row, place) => places[row] = place);
  const listOf = (row: number): Uint32Array => rows[of[row] ?? 0] ?? new Uint32Array();
  const ofRow = (row: number): number => {
    const same = listOf(row).length - (places[row] ?? 0);
    return isAlike ? same : of.length - row - same;
  };
  /** The number of each row's first pair, followed by the number of all pairs. */
  const starts = new Float64Array(of.length + 1);
  for (let row = 0; row < of.length; row++) starts[row + 1] = (starts[row] ?? 0) + ofRow(row);
  return {
    count: starts[of.length] ?? 0,
    at: (number) => {
      const a = lastWhere(of.length, (row) => (starts[row] ?? 0) <= number);
      const offset = number - (starts[a] ?? 0);
      const [list, place] = [listOf(a), places[a] ?? 0];
      if (isAlike) return { a, b: list[place + offset] ?? a };
      // Of the rows after `a`, those of its own label are skipped: as many as precede the wanted one.
      const passed = lastWhere(list.length - place, (i) => (list[place + i] ?? 0) - a - i <= offset);
      return { a, b: a + offset + passed + 1 };
    },
  };
}

/** Returns the last number below `count` for which `holds`, given that it holds for 0 and up to some number. */
function lastWhere(count: number, holds: (number: number) => boolean): number {
  let [low, high] = [0, count];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}
