/**
 * Removes training rows that have text in common with other splits.
 * @module
 */
import * as v from "valibot";
import { pluginOption } from "../../blocks/options/mod.ts";
import { columnOf, type Contaminated, contaminatedRows, textColumns, textIn } from "../../blocks/transform/mod.ts";
import { badValue } from "../../core/base/errors.ts";
import { define } from "../../core/spec/define.ts";
import { sha256 } from "../../core/base/sha256.ts";
import type { Dataset, Factory, Row, TransformContext, TransformRow } from "../../core/types.ts";

/** Options of {@link decontaminate}. */
export interface DecontaminateOptions {
  /** The data sets to compare with; null: `eval` and `test` of the spec. */
  readonly against: readonly Dataset[] | null;
  /** How many consecutive words make a match. */
  readonly ngram: number;
  /** Whether matching rows are dropped or only reported. */
  readonly action: "drop" | "report";
  /** The columns to compare; null: the task's texts. */
  readonly columns: readonly string[] | null;
}

type Input = Partial<Omit<DecontaminateOptions, "against">> & Readonly<{ against?: readonly unknown[] | null }>;

const NAME = "decontaminate";

/**
 * Training rows without those that share 13 consecutive words with a row of `eval` or `test`, ignoring case and
 * punctuation; shorter rows are compared as a whole. Runs of words in more than a tenth of the rows, such as headers
 * and templates, are ignored. Needs eight bytes per row, and at most 256 MiB for the runs of the other sets: if they
 * are larger, all rows are read again for each further part. Rows of `eval` and `test` themselves stay, unless
 * `against` is given.
 *
 * @example
 * ```ts
 * import { decontaminate } from "attune/transforms/decontaminate";
 * console.assert(decontaminate({ action: "report" }).name === "decontaminate");
 * ```
 */
export const decontaminate: Factory<"transform", Input> = define({
  kind: "transform",
  name: NAME,
  schema: v.strictObject({
    against: v.optional(v.nullable(v.pipe(v.array(pluginOption("data", "a dataset")), v.minLength(1))), null),
    ngram: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)), 13),
    action: v.optional(v.picklist(["drop", "report"]), "drop"),
    columns: v.optional(v.nullable(v.pipe(v.array(v.string()), v.minLength(1))), null),
  }) as v.GenericSchema<Input, DecontaminateOptions>,
  create: (options: DecontaminateOptions) => ({
    scope: "choice",
    fingerprint: async (context) => {
      const others: string[] = [];
      for (const { dataset } of othersOf(options, context)) others.push((await dataset.open(context.host)).fingerprint);
      return await sha256(others.join());
    },
    survey: (rows, context) => surveyed(rows, options, context),
    apply: async function* (rows, context, seen) {
      const others = othersOf(options, context);
      const found = seen as Contaminated;
      let at = 0;
      for await (const item of rows) {
        const from = found[at++] ?? 0;
        if (from > 0) {
          const reason = `words of ${others[from - 1]?.name}`;
          context.note(item, options.action === "drop" ? "dropped" : "changed", reason);
        }
        if (from === 0 || options.action === "report") yield item;
      }
    },
  }),
});

async function surveyed(
  rows: AsyncIterable<TransformRow>,
  options: DecontaminateOptions,
  context: TransformContext,
): Promise<Contaminated> {
  const columns = textColumns(NAME, options.columns, context);
  const text = (item: TransformRow): string => textOf(item, columns, options.columns !== null);
  const others = othersOf(options, context);
  if (others.length === 0) return new Uint32Array();
  const forbidden = {
    [Symbol.asyncIterator]: async function* () {
      for (const [of, { name, dataset }] of others.entries()) {
        const seen = createTextCheck(columns);
        for await (const { row, where } of (await dataset.open(context.host)).read()) {
          const textOf = text({ row, index: seen.rows, ...(where === undefined ? {} : { where }) });
          seen.add(row, textOf);
          yield { text: textOf, of };
        }
        seen.check(name);
      }
    },
  };
  const compared = {
    [Symbol.asyncIterator]: async function* () {
      const seen = createTextCheck(columns);
      for await (const item of rows) {
        const textOf = text(item);
        seen.add(item.row, textOf);
        yield textOf;
      }
      seen.check(context.split ?? "train");
    },
  };
  return await contaminatedRows(compared, forbidden, options.ngram);
}

/** Checks that rows have any text: otherwise nothing would be compared, without anybody noticing. */
function createTextCheck(columns: readonly string[]) {
  const there = new Set<string>();
  let [rows, texts] = [0, 0];
  return {
    get rows() {
      return rows;
    },
    add: (row: Row, text: string): void => {
      rows++;
      if (text.trim() !== "") texts++;
      else if (texts === 0 && rows <= 100) { for (const name of Object.keys(row)) there.add(name); }
    },
    check: (name: string): void => {
      if (rows === 0 || texts > 0) return;
      const found = `rows of ${name} with no text there (they have ${[...there].join(", ")})`;
      throw badValue(NAME, "columns", found, `texts in the columns that are compared (${columns.join(", ")})`);
    },
  };
}

/** Returns the datasets to compare with. */
function othersOf(
  { against }: DecontaminateOptions,
  { split, splits }: TransformContext,
): readonly Readonly<{ name: string; dataset: Dataset }>[] {
  if (against) return against.map((dataset) => ({ name: dataset.name, dataset }));
  // Evaluation data is not changed.
  if (split === "eval" || split === "test") return [];
  const others = (["eval", "test"] as const).flatMap((name) => {
    const dataset = splits[name];
    return dataset ? [{ name, dataset }] : [];
  });
  if (others.length > 0) return others;
  throw badValue(NAME, "against", against, "data sets to compare with, where the spec has neither eval nor test");
}

/** Returns the text to compare; columns in the options must exist. */
function textOf(item: TransformRow, columns: readonly string[], isNamed: boolean): string {
  return columns.map((name) => textIn(isNamed ? columnOf(NAME, item, name) : item.row[name])).filter((text) =>
    text !== ""
  ).join("\n");
}
