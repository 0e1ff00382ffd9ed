/** What is said of rows on their way: splits, columns, and what transforms did. */
import type { Named } from "../base/types.ts";

/** The parts that data is divided into. */
export type SplitName = "train" | "eval" | "test";

/**
 * The columns that a collator reads, as rows call them. `texts`: strings, lists of strings, or messages, of which a row may
 * lack those that are `optional`, though not all. `spans`: columns of SQuAD's answers, with the text column that each counts in. `parallel`: lists with one entry for each word of another.
 * `others`: labels and the like. `classes`: names of the classes that numbers in a column stand for.
 */
export type RowColumns = Readonly<{
  texts: readonly string[];
  optional?: readonly string[];
  /** Those of the texts that are learned: a transform that makes up words leaves them alone. */
  learned?: readonly string[];
  spans?: Named<string>;
  parallel?: Named<string>;
  others?: readonly string[];
  classes?: Named<readonly string[]>;
}>;

/** What became of a row. */
export type RowAction = "dropped" | "changed" | "added";

/** The row that something became of, and why. */
export type RowNote = Readonly<{ row: number; action: RowAction; reason: string }>;

/**
 * What a transform did: rows in and out, how many it dropped, changed and added by reason, and the first of these rows.
 * `within`: where the data set stands whose rows these are, as "with.sources.0"; absent if it is the split's itself.
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
