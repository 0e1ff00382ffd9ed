/**
 * Splitting a data set into train and test.
 * @module
 */
import * as v from "valibot";
import { define, isPlugin } from "../../core/define.ts";
import { badValue } from "../../core/errors.ts";
import { sha256 } from "../../core/fingerprint.ts";
import { createRandom, permutation } from "../../core/random.ts";
import type { Dataset, Factory } from "../../core/types.ts";
import { allRows, rowsInMemory } from "./rows.ts";

/** Options of {@link split}. */
export interface SplitOptions {
  /** What is split. */
  readonly source: Dataset;
  /** Which part this is. */
  readonly part: "train" | "test";
  /** Share (below 1) or number of test rows. */
  readonly testSize: number;
  /** The same seed gives parts that fit together. */
  readonly seed: number;
  /** Column whose values keep their shares in both parts; null: none. */
  readonly stratifyByColumn: string | null;
}

type Input = Partial<Omit<SplitOptions, "source" | "part">> & Readonly<{ source: unknown; part: "train" | "test" }>;

/** Schema of {@link SplitOptions}. */
export const splitSchema: v.GenericSchema<Input, SplitOptions> = v.strictObject({
  source: v.custom<Dataset>(isPlugin("dataset"), "a dataset"),
  part: v.picklist(["train", "test"]),
  testSize: v.optional(v.pipe(v.number(), v.gtValue(0)), 0.2),
  seed: v.optional(v.pipe(v.number(), v.integer()), 42),
  stratifyByColumn: v.optional(v.nullable(v.string()), null),
}) as v.GenericSchema<Input, SplitOptions>;

/**
 * One part of a seeded split, stratified where asked.
 *
 * @throws AttuneError from `open` where a part would be empty or the column is missing.
 * @example
 * ```ts
 * import { memory } from "attune/data/memory";
 * import { split } from "attune/data/split";
 * const source = memory({ rows: [{ text: "a" }, { text: "b" }] });
 * console.assert(split({ source, part: "test", testSize: 1 }).kind === "dataset");
 * ```
 */
export const split: Factory<"dataset", Input> = define({
  kind: "dataset",
  name: "split",
  schema: splitSchema,
  parts: { source: "dataset" },
  create: ({ source, part, testSize, seed, stratifyByColumn }) => ({
    open: async (host) => {
      const opened = await source.open(host);
      const rows = await allRows(opened);
      const groups = new Map<string, number[]>();
      rows.forEach((row, i) => {
        if (stratifyByColumn !== null && !(stratifyByColumn in row)) {
          throw badValue("split", `row ${i}`, Object.keys(row), `a column "${stratifyByColumn}"`);
        }
        const key = stratifyByColumn === null ? "" : JSON.stringify(row[stratifyByColumn]);
        groups.set(key, [...(groups.get(key) ?? []), i]);
      });
      const share = testSize < 1 ? testSize : testSize / rows.length;
      const random = createRandom(seed).fork("split");
      const test = new Set<number>();
      for (const [key, members] of groups) {
        const order = permutation(random.fork(key), members.length);
        order.subarray(0, Math.round(share * members.length)).forEach((i) => test.add(members[i] ?? 0));
      }
      const own = rows.filter((_, i) => test.has(i) === (part === "test"));
      if (own.length === 0) {
        throw badValue("split", "testSize", testSize, `a size that leaves rows in "${part}" of ${rows.length}`);
      }
      return rowsInMemory(own, await sha256(`${opened.fingerprint} ${part} ${testSize} ${seed} ${stratifyByColumn}`));
    },
  }),
});
