/**
 * Splits a dataset into train and test.
 * @module
 */
import * as v from "valibot";
import { pluginOption } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import { sha256 } from "../../core/base/sha256.ts";
import type { SeekableRows } from "../../core/data/seekable_rows.ts";
import { createRandom, permutation } from "../../core/math/random.ts";
import type { Dataset, Factory } from "../../core/types.ts";
import { openNumbered, pickedRows, rowNumbersWhere } from "../../blocks/data/mod.ts";

/** Options of {@link split}. */
export interface SplitOptions {
  /** The dataset to split. */
  readonly source: Dataset;
  /** Which part this is. */
  readonly part: "train" | "test";
  /** The share (below 1) or number of test rows; a share is rounded up. */
  readonly testSize: number;
  /** The seed; the same seed gives matching parts. */
  readonly seed: number;
  /** The column whose distribution is preserved in both parts; null: none. */
  readonly stratifyByColumn: string | null;
}

type Input = Partial<Omit<SplitOptions, "source" | "part">> & Readonly<{ source: unknown; part: "train" | "test" }>;

/**
 * One part of a seeded split, like `datasets.train_test_split`, optionally stratified; rows keep their order.
 *
 * @throws AttuneError from `open` if a part would be empty, the column is missing, or one of its values is too rare.
 * @example
 * ```ts
 * import { memory } from "attune/data/memory";
 * import { split } from "attune/data/split";
 * const source = memory({ rows: [{ text: "a" }, { text: "b" }] });
 * console.assert(split({ source, part: "test", testSize: 1 }).kind === "data");
 * ```
 */
export const split: Factory<"data", Input> = define({
  kind: "data",
  name: "split",
  schema: v.strictObject({
    source: pluginOption("data", "a dataset"),
    part: v.picklist(["train", "test"]),
    testSize: v.optional(
      v.pipe(
        v.number(),
        v.gtValue(0),
        v.check((n) => n < 1 || Number.isInteger(n), "a share below 1 or a whole number"),
      ),
      0.25,
    ),
    seed: v.optional(v.pipe(v.number(), v.integer()), 42),
    stratifyByColumn: v.optional(v.nullable(v.string()), null),
  }) as v.GenericSchema<Input, SplitOptions>,
  create: ({ source, part, testSize, seed, stratifyByColumn }: SplitOptions) => ({
    open: async (host) => {
      const opened = await openNumbered(source, host);
      const { length } = opened;
      const size = testSize < 1 ? Math.ceil(testSize * length) : testSize;
      if (size < 1 || size >= length) {
        throw badValue("split", "testSize", testSize, `a size that leaves rows in both parts of ${length}`);
      }
      const random = createRandom(seed).fork("split");
      const isTest = new Uint8Array(length);
      for (const { key, members, quota } of quotas(await groupsOf(opened, stratifyByColumn), size, length)) {
        const order = permutation(random.fork(key), members.length);
        order.subarray(0, quota).forEach((i) => (isTest[members[i] ?? 0] = 1));
      }
      const how = `${part} ${testSize} ${seed} ${stratifyByColumn}`;
      const numbers = rowNumbersWhere(length, (number) => (isTest[number] === 1) === (part === "test"));
      return pickedRows(opened, numbers, await sha256(`${opened.fingerprint} ${how}`));
    },
  }),
});

type Group = Readonly<{ length: number; [index: number]: number }>;

/** Returns the numbers of the rows with each value in a column; without a column, one group. */
async function groupsOf(rows: SeekableRows, column: string | null): Promise<ReadonlyMap<string, Group>> {
  if (column === null) return new Map([["", rowNumbersWhere(rows.length, () => true)]]);
  const groups = new Map<string, number[]>();
  let i = 0;
  for await (const { row } of rows.read()) {
    if (!Object.hasOwn(row, column)) throw badValue("split", `row ${i}`, Object.keys(row), `a column "${column}"`);
    const key = JSON.stringify(row[column]) ?? "undefined";
    const members = groups.get(key);
    if (members) members.push(i);
    else groups.set(key, [i]);
    i++;
  }
  return groups;
}

/** Returns the number of test rows in each group: shares rounded down, and the rest to the largest remainders. */
function quotas(
  groups: ReadonlyMap<string, Group>,
  size: number,
  total: number,
): readonly { key: string; members: Group; quota: number }[] {
  const shares = [...groups].map(([key, members]) => {
    if (groups.size > 1 && members.length < 2) {
      throw badValue("split", "stratifyByColumn", `one row with ${key}`, "at least two rows of each value");
    }
    const exact = size * members.length / total;
    return { key, members, quota: Math.floor(exact), remainder: exact - Math.floor(exact) };
  });
  if (groups.size > Math.min(size, total - size)) {
    throw badValue("split", "testSize", size, `at least ${groups.size} rows in each part, one for each value`);
  }
  let left = size - shares.reduce((n, share) => n + share.quota, 0);
  for (const share of [...shares].sort((a, b) => b.remainder - a.remainder)) {
    if (left-- > 0) share.quota++;
  }
  return shares;
}
