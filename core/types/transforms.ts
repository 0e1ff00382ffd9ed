/** Facts about rows: splits, columns, and reports of transforms. */
import type { Named } from "../base/types.ts";

/** The parts that data is divided into. */
export type SplitName = "train" | "eval" | "test";

/**
 * The columns that a collator reads, by their names in rows. `texts`: strings, lists of strings, or messages; a row may
 * lack the `optional` ones, but not all of them. `spans`: columns of answers as in SQuAD, with the text column that
 * each refers to. `parallel`: lists with one entry per word of another column. `others`: labels and the like.
 * `classes`: the class names of numbers in a column.
 */
export type RowColumns = Readonly<{
  texts: readonly string[];
  optional?: readonly string[];
  /** Those texts that are learned, which transforms that invent words leave unchanged. */
  learned?: readonly string[];
  spans?: Named<string>;
  parallel?: Named<string>;
  others?: readonly string[];
  classes?: Named<readonly string[]>;
}>;

/** What a transform did to a row. */
export type RowAction = "dropped" | "changed" | "added";

/** A row that a transform dropped, changed or added, and why. */
export type RowNote = Readonly<{ row: number; action: RowAction; reason: string }>;

/**
 * What a transform did: rows in and out, how many it dropped, changed and added by reason, and the first of these rows.
 * `within`: the place of the rows' data set, such as "with.sources.0"; absent if it is the split's own.
 */
export type TransformReport = Readonly<{
  use: string;
  within?: string;
  in: number;
  out: number;
  dropped: Named<number>;
  changed: Named<number>;
  added: Named<number>;
  rows: readonly RowNote[];
}>;
