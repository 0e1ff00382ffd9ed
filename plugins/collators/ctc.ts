/**
 * Turns texts and their symbols into samples of connectionist temporal classification.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import { most } from "../../core/base/most.ts";
import type { CollatorContext, Factory, Field, Row } from "../../core/types.ts";
import { classesOf, missingColumn, readColumns, readyMade, textOf, tokenFields } from "../../blocks/collator/mod.ts";

/** Options of {@link ctc}. */
export interface CtcOptions {
  /** The symbols, in order of their classes from 1 on; class 0 is the blank. */
  readonly labels: readonly string[];
  /** The longest target in symbols; all targets are padded to it. */
  readonly maxTargetLength: number;
  /** Whether targets that are too long for their texts have a loss of 0 instead of being an error. */
  readonly zeroInfinity: boolean;
  /** Names of the columns, if they differ: `{ "target": "phonemes" }`. */
  readonly columns: Readonly<Record<string, string>>;
}

const NAME = "ctc";

/**
 * `text` and `target` (a list of symbols, or a text whose characters they are) → input_ids, token_type_ids and
 * `labels`, the symbols' classes, padded with -1. Rows that have `input_ids` are used unchanged.
 *
 * @throws AttuneError from `encode` if a column is missing, a symbol is unknown, or a target has too many of them.
 * @example
 * ```ts
 * import { ctc } from "attune/collators/ctc";
 * console.assert(ctc({ labels: ["a", "b"] }).name === "ctc");
 * ```
 */
export const ctc: Factory<"collator", Partial<CtcOptions> & { labels: readonly string[] }> = define({
  kind: "collator",
  name: NAME,
  schema: v.strictObject({
    labels: v.pipe(v.array(v.string()), v.minLength(1)),
    maxTargetLength: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.tokens)), 32),
    zeroInfinity: v.optional(v.boolean(), false),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  }),
  create: (options: CtcOptions) => ({
    oneEach: true,
    columns: readColumns(options.columns, { texts: ["text"], learned: ["text"], others: ["target"] }),
    encode: (row, index, context) => {
      const { tokenizer } = context;
      const fields = "input_ids" in row
        ? readyMade(NAME, row, index, tokenizer)
        : tokenized(row, index, options, context);
      const length = fields.input_ids?.data.length ?? 0;
      const targets: Record<string, Field> = context.requiresLabels
        ? { labels: classes(row, index, length, options) }
        : {};
      return [{ sequences: [{ length, fields }], targets, row: index }];
    },
  }),
});

function tokenized(
  row: Row,
  index: number,
  { columns }: CtcOptions,
  { tokenizer, maxLength }: CollatorContext,
): Record<string, Field> {
  const text = textOf(NAME, row, index, columns.text ?? "text");
  const truncation = maxLength !== undefined;
  const [{ ids, typeIds }] = tokenizer.encode(text, { maxLength, truncation, offsets: false });
  return tokenFields(tokenizer, ids, typeIds);
}

function classes(row: Row, index: number, places: number, options: CtcOptions): Field {
  const { labels, maxTargetLength, zeroInfinity, columns } = options;
  const column = columns.target ?? "target";
  if (!(column in row)) throw missingColumn(NAME, row, index, column);
  const at = `row ${index}, column "${column}"`;
  const value = row[column];
  const symbols: unknown = typeof value === "string" ? Array.from(value) : value;
  if (!Array.isArray(symbols)) throw badValue(NAME, at, value, "a text or a list of symbols");
  const read = classesOf(NAME, labels);
  const ids = symbols.map((symbol, i) => 1 + read(symbol, `${at}, symbol ${i}`));
  if (ids.length > maxTargetLength) {
    throw badValue(NAME, at, `${ids.length} symbols`, `at most ${maxTargetLength} (task.with.maxTargetLength)`);
  }
  // Two equal symbols in a row need a blank between them.
  const needed = ids.length + ids.filter((id, i) => i > 0 && id === ids[i - 1]).length;
  if (needed > places && !zeroInfinity) {
    const wanted = `a text of at least ${needed} tokens, or task.with.zeroInfinity`;
    throw badValue(NAME, at, `${ids.length} symbols for ${places} tokens`, wanted);
  }
  const data = new Int32Array(maxTargetLength).fill(-1);
  data.set(ids);
  return { axis: "sample", data, padValue: -1, size: maxTargetLength };
}
