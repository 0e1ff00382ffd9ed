/**
 * One fold of a dataset, or all others.
 * @module
 */
import * as v from "valibot";
import { openNumbered, pickedRows, rowNumbersWhere } from "../../blocks/data/mod.ts";
import { pluginOption } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import { sha256 } from "../../core/base/sha256.ts";
import { divideRows } from "../../core/data/folds.ts";
import type { SeekableRows } from "../../core/data/seekable_rows.ts";
import { createRandom } from "../../core/math/random.ts";
import type { Dataset, Factory } from "../../core/types.ts";

/** Options of {@link fold}. */
export interface FoldOptions {
  /** The dataset that is divided. */
  readonly source: Dataset;
  /** How many folds there are. */
  readonly folds: number;
  /** The number of this fold, from 0. */
  readonly fold: number;
  /** The rows of the fold (test), or all others (train). */
  readonly part: "train" | "test";
  /** The column whose distribution is preserved in every fold; null: none. */
  readonly stratify: string | null;
  /** The column whose values are kept together in one fold; null: none. */
  readonly group: string | null;
  /** Whether to shuffle the rows first. */
  readonly shuffle: boolean;
  /** The seed of the shuffle. */
  readonly seed: number;
  /** The number of the repetition. */
  readonly repeat: number;
}

type Input =
  & Partial<Omit<FoldOptions, "source" | "folds" | "fold" | "part">>
  & Readonly<{ source: unknown; folds: number; fold: number; part: "train" | "test" }>;

const wholeNumber = (least: number) => v.pipe(v.number(), v.integer(), v.minValue(least));

/**
 * One fold of a division as scikit-learn makes it: KFold, StratifiedKFold, GroupKFold or StratifiedGroupKFold, by the
 * columns that are named. Rows keep their order.
 *
 * @throws AttuneError from `open` if a column is missing or the rows are too few.
 * @example
 * ```ts
 * import { fold } from "attune/data/fold";
 * import { memory } from "attune/data/memory";
 * const source = memory({ rows: [{ text: "a" }, { text: "b" }] });
 * console.assert(fold({ source, folds: 2, fold: 0, part: "test" }).kind === "data");
 * ```
 */
export const fold: Factory<"data", Input> = define({
  kind: "data",
  name: "fold",
  schema: v.pipe(
    v.strictObject({
      source: pluginOption("data", "a dataset"),
      folds: wholeNumber(2),
      fold: wholeNumber(0),
      part: v.picklist(["train", "test"]),
      stratify: v.optional(v.nullable(v.string()), null),
      group: v.optional(v.nullable(v.string()), null),
      shuffle: v.optional(v.boolean(), true),
      seed: v.optional(v.pipe(v.number(), v.integer()), 42),
      repeat: v.optional(wholeNumber(0), 0),
    }),
    v.check(({ fold, folds }) => fold < folds, "Invalid fold: folds are counted from 0"),
  ) as unknown as v.GenericSchema<Input, FoldOptions>,
  create: ({ source, folds, fold, part, stratify, group, shuffle, seed, repeat }: FoldOptions) => ({
    open: async (host) => {
      const opened = await openNumbered(source, host);
      const of = divideRows({
        rows: opened.length,
        folds,
        classes: stratify === null ? undefined : await valuesOf(opened, stratify, "stratify"),
        groups: group === null ? undefined : await valuesOf(opened, group, "group"),
        random: shuffle ? createRandom(seed).fork("folds", repeat) : undefined,
      });
      const how = JSON.stringify([folds, fold, part, stratify, group, shuffle && [seed, repeat]]);
      const numbers = rowNumbersWhere(opened.length, (number) => (of[number] === fold) === (part === "test"));
      return pickedRows(opened, numbers, await sha256(`${opened.fingerprint} fold ${how}`));
    },
  }),
});

async function valuesOf(rows: SeekableRows, column: string, option: string): Promise<readonly unknown[]> {
  const values: unknown[] = [];
  // Equal values share one object in memory.
  const known = new Map<unknown, unknown>();
  for await (const { row } of rows.read()) {
    const value = row[column];
    if (!Object.hasOwn(row, column)) {
      const found = Object.keys(row).join(", ");
      throw badValue("fold", option, column, `a column of row ${values.length}, which has ${found}`);
    }
    if (!known.has(value)) known.set(value, value);
    values.push(known.get(value));
  }
  return values;
}
