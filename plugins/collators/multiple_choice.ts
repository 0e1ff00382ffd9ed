/**
 * Turns a context and its choices into samples of several sequences.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import type { CollatorContext, Factory, Row, Sample } from "../../core/types.ts";
import { missingColumn, readColumns, readyMade, textOf, tokenFields } from "../../blocks/collator/mod.ts";

/** Options of {@link multipleChoice}. */
export interface MultipleChoiceOptions {
  /** Names of the columns, if they differ: `{ "choices": "endings" }`. */
  readonly columns: Readonly<Record<string, string>>;
}

const NAME = "multiple-choice";

type Sequence = Sample["sequences"][number];

/**
 * `context` and `choices` → one sequence per choice, the pair (context, choice) cut longest first; `label`, the number
 * of the right choice, is the target `labels`. Rows that have `input_ids` (one list per choice) are used unchanged.
 *
 * @throws AttuneError from `encode` if a column is missing or the label is no choice's number.
 * @example
 * ```ts
 * import { multipleChoice } from "attune/collators/multiple-choice";
 * console.assert(multipleChoice({ columns: { choices: "endings" } }).name === "multiple-choice");
 * ```
 */
export const multipleChoice: Factory<"collator", Partial<MultipleChoiceOptions>> = define({
  kind: "collator",
  name: NAME,
  schema: v.strictObject({ columns: v.optional(v.record(v.string(), v.string()), {}) }),
  create: ({ columns }: MultipleChoiceOptions) => ({
    oneEach: true,
    columns: readColumns(columns, { texts: ["context", "choices"], others: ["label", "labels"] }),
    encode: (row, index, context) => {
      const sequences = "input_ids" in row
        ? readyMadeSequences(row, index, context)
        : pairs(row, index, columns, context);
      if (!context.requiresLabels) return [{ sequences, targets: {}, row: index }];
      const column = columns.label ?? ("label" in row ? "label" : "labels");
      if (!(column in row)) throw missingColumn(NAME, row, index, columns.label ?? "label");
      const label = row[column];
      if (!Number.isInteger(label) || Number(label) < 0 || Number(label) >= sequences.length) {
        const wanted = `the number of a choice, 0 to ${sequences.length - 1}`;
        throw badValue(NAME, `row ${index}, column "${column}"`, label, wanted);
      }
      const labels = { axis: "sample" as const, data: Int32Array.of(Number(label)), padValue: -100 };
      return [{ sequences, targets: { labels }, row: index }];
    },
  }),
});

function pairs(
  row: Row,
  index: number,
  columns: MultipleChoiceOptions["columns"],
  { tokenizer, maxLength }: CollatorContext,
): Sequence[] {
  const text = textOf(NAME, row, index, columns.context ?? "context");
  const column = columns.choices ?? "choices";
  const choices = row[column];
  if (!(column in row)) throw missingColumn(NAME, row, index, column);
  if (!Array.isArray(choices) || choices.length === 0 || !choices.every((c) => typeof c === "string")) {
    throw badValue(NAME, `row ${index}, column "${column}"`, choices, "a list of texts");
  }
  return choices.map((textPair) => {
    const truncation = maxLength !== undefined;
    const [{ ids, typeIds }] = tokenizer.encode(text, { textPair, maxLength, truncation, offsets: false });
    return {
      length: ids.length,
      fields: tokenFields(tokenizer, ids, typeIds),
    };
  });
}

function readyMadeSequences(row: Row, index: number, { tokenizer }: CollatorContext): Sequence[] {
  const lists = row.input_ids;
  const types = row.token_type_ids;
  if (!Array.isArray(lists) || lists.length === 0 || !lists.every(Array.isArray)) {
    throw badValue(NAME, `row ${index}, column "input_ids"`, lists, "a list of token ids for each choice");
  }
  return lists.map((input_ids: unknown, i) => {
    const choiceRow: Row = Array.isArray(types) ? { input_ids, token_type_ids: types[i] as unknown } : { input_ids };
    const fields = readyMade(NAME, choiceRow, index, tokenizer);
    return { length: fields.input_ids?.data.length ?? 0, fields };
  });
}
