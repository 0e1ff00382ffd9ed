/**
 * Turns questions and contexts into windows, each with the answer's first and last token.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import { most } from "../../core/base/most.ts";
import type { CollatorContext, Encoding, Factory, Field, Row, RowSurvey, Sample } from "../../core/types.ts";
import { missingColumn, readColumns, readyMade, textOf, tokenFields } from "../../blocks/collator/mod.ts";

/** Options of {@link questionAnswering}. */
export interface QuestionAnsweringOptions {
  /** Tokens that two neighbouring windows over a context share. */
  readonly docStride: number;
  /** Names of the columns, if they differ: `{ "context": "passage" }`. */
  readonly columns: Readonly<Record<string, string>>;
}

const NAME = "question-answering";

/**
 * `question`, `context` and `answers` (SQuAD's `text` and `answer_start`, in code points; or in UTF-16 units if
 * that is where the answers are, with a warning) → windows of input_ids and token_type_ids, with the targets
 * `start_positions` and `end_positions`: the first answer's first and last token, or [CLS] for both where the answer is
 * not wholly inside, or there is none. Blanks before a question are removed. Rows with `input_ids` (and both positions)
 * are used unchanged. For decoding, each window's metadata has the context, the context's tokens with their offsets
 * (UTF-16), the position of [CLS], and the answers.
 *
 * @throws AttuneError from `encode` if a column is missing, or an answer is not where `answer_start` says.
 * @example
 * ```ts
 * import { questionAnswering } from "attune/collators/question-answering";
 * console.assert(questionAnswering({ docStride: 128 }).name === "question-answering");
 * ```
 */
export const questionAnswering: Factory<"collator", Partial<QuestionAnsweringOptions>> = define({
  kind: "collator",
  name: NAME,
  schema: v.strictObject({
    docStride: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(most.tokens)), 0),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  }),
  create: (options: QuestionAnsweringOptions) => ({
    columns: readColumns(options.columns, { texts: ["question", "context"], spans: { answers: "context" } }),
    survey: () => unitSurvey(options),
    encode: (row, index, context) =>
      "input_ids" in row ? [readyMadeSample(row, index, context)] : windowsOf(row, index, options, context),
  }),
});

/** A range of the context in UTF-16 units. */
type Answer = Readonly<{ from: number; to: number }>;

/** The unit of `answer_start`. */
type Unit = "codepoint" | "utf16";

/** Whether an answer is at an offset of its context, in UTF-16 units. */
function standsAt(context: string, answer: string, at: number): boolean {
  return context.startsWith(answer, at);
}

/**
 * Surveys the unit of `answer_start` in all rows: UTF-16 units if some answers are only found at these, and all others
 * are found there, too.
 */
function unitSurvey({ columns }: QuestionAnsweringOptions): RowSurvey {
  let [points, utf16] = [0, 0];
  let both = true;
  return {
    add: (row) => {
      const { text, answer_start: starts } = (row[columns.answers ?? "answers"] ?? {}) as SquadAnswers;
      const context = row[columns.context ?? "context"];
      const [answer, start] = [
        Array.isArray(text) ? text[0] : undefined,
        Array.isArray(starts) ? starts[0] : undefined,
      ];
      if (typeof context !== "string" || typeof answer !== "string" || typeof start !== "number") return;
      const [byPoint, byUnit] = [standsAt(context, answer, units(context, start)), standsAt(context, answer, start)];
      if (byPoint && !byUnit) points++;
      if (byUnit && !byPoint) utf16++;
      both &&= byPoint || byUnit;
    },
    end: () => {
      if (utf16 === 0) return { reading: "codepoint" satisfies Unit };
      const note = `answer_start of ${utf16} ${
        utf16 === 1 ? "row" : "rows"
      } counts UTF-16 units (as JavaScript's indexOf), not code points`;
      return { reading: points === 0 ? "utf16" satisfies Unit : "codepoint" satisfies Unit, notes: both ? [note] : [] };
    },
  };
}

type SquadAnswers = Readonly<{ text?: unknown; answer_start?: unknown }>;

function windowsOf(
  row: Row,
  index: number,
  { docStride, columns }: QuestionAnsweringOptions,
  collating: CollatorContext,
): Sample[] {
  const { tokenizer, maxLength, requiresLabels: labelled, config } = collating;
  const question = textOf(NAME, row, index, columns.question ?? "question").trimStart();
  const context = textOf(NAME, row, index, columns.context ?? "context");
  const { texts, first } = answersOf(row, index, columns.answers ?? "answers", context, collating);
  const windows = tokenizer.encode(question, {
    textPair: context,
    maxLength,
    truncation: maxLength === undefined ? "do_not_truncate" : "only_second",
    stride: docStride,
    returnOverflowingTokens: true,
    // Questions and contexts get different token types if the model has them, as in transformers' pipeline.
    ...(Number(config.type_vocab_size) > 1 ? { typeIds: true } : {}),
  });
  return windows.map((window) => {
    const { ids, typeIds, offsets, sequenceIds } = window;
    const cls = Math.max(0, ids.indexOf(tokenizer.specialTokenIds.cls ?? -1));
    const [start, end] = first ? answerTokens(window, first, cls) : [cls, cls];
    const fields = tokenFields(tokenizer, ids, typeIds);
    const targets: Record<string, Field> = labelled ? { start_positions: place(start), end_positions: place(end) } : {};
    return {
      sequences: [{ length: ids.length, fields }],
      targets,
      row: index,
      metadata: { context, offsets, inContext: sequenceIds.map((id) => Number(id === 1)), cls, answers: texts },
    };
  });
}

/** Returns an answer's first and last token, or [CLS] for both if it is not wholly inside the window. */
function answerTokens(
  { offsets, sequenceIds }: Encoding,
  { from, to }: Answer,
  cls: number,
): readonly [number, number] {
  const [first, last] = [sequenceIds.indexOf(1), sequenceIds.lastIndexOf(1)];
  const begins = (token: number): number => offsets[2 * token] ?? 0;
  const ends = (token: number): number => offsets[2 * token + 1] ?? 0;
  if (first < 0 || begins(first) > from || ends(last) < to) return [cls, cls];
  let [start, end] = [first, last];
  while (start < last && begins(start + 1) <= from) start++;
  while (end > first && ends(end - 1) >= to) end--;
  return [start, end];
}

function answersOf(
  row: Row,
  index: number,
  column: string,
  context: string,
  { requiresLabels: labelled, reading = "codepoint" }: CollatorContext,
): Readonly<{ texts: readonly string[]; first?: Answer }> {
  const value = row[column];
  if (!(column in row)) {
    if (!labelled) return { texts: [] };
    throw missingColumn(NAME, row, index, column);
  }
  const at = `row ${index}, column "${column}"`;
  const { text, answer_start: starts } = (value ?? {}) as SquadAnswers;
  const wanted = "text and answer_start, lists of one length";
  if (!Array.isArray(text) || !Array.isArray(starts) || text.length !== starts.length) {
    throw badValue(NAME, at, value, wanted);
  }
  if (!text.every((t) => typeof t === "string") || !starts.every((s) => Number.isInteger(s) && Number(s) >= 0)) {
    throw badValue(NAME, at, value, `${wanted}, of strings and of positions`);
  }
  const [answer] = text;
  if (answer === undefined) return { texts: [] };
  const start = Number(starts[0]);
  const places = [units(context, start), start];
  const from = (reading === "utf16" ? places.reverse() : places).find((at) => standsAt(context, answer, at));
  if (from === undefined) {
    const position = `${start}, where "${context.slice(places[0], (places[0] ?? 0) + answer.length)}" stands`;
    const wanted = `the position of "${answer}" in the context (in code points)`;
    throw badValue(NAME, `${at}, answer_start`, position, wanted);
  }
  const to = from + answer.length;
  return { texts: text, first: { from, to } };
}

/** Returns the number of UTF-16 units of the first `codePoints` code points. */
function units(text: string, codePoints: number): number {
  let at = 0;
  for (let i = 0; i < codePoints && at < text.length; i++) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return at;
}

function readyMadeSample(row: Row, index: number, { tokenizer, requiresLabels: labelled }: CollatorContext): Sample {
  const fields = readyMade(NAME, row, index, tokenizer);
  const length = fields.input_ids?.data.length ?? 0;
  const position = (column: string): Field => {
    const value = row[column];
    if (!(column in row)) throw missingColumn(NAME, row, index, column);
    if (!Number.isInteger(value) || Number(value) < 0 || Number(value) >= length) {
      throw badValue(NAME, `row ${index}, column "${column}"`, value, `a position from 0 to ${length - 1}`);
    }
    return place(Number(value));
  };
  const targets: Record<string, Field> = labelled
    ? { start_positions: position("start_positions"), end_positions: position("end_positions") }
    : {};
  return { sequences: [{ length, fields }], targets, row: index };
}

function place(token: number): Field {
  return { axis: "sample", data: Int32Array.of(token), padValue: 0, column: true };
}
