/**
 * The objective of finding the span of a text that answers a question.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { most } from "../../core/base/most.ts";
import type { Batch, Factory, Json, MetricInputs, Named, Subtask, Tensor } from "../../core/types.ts";

/** Options of {@link questionAnswering}, as those of transformers' run_qa.py. */
export interface QuestionAnsweringOptions {
  /** Tokens that two neighbouring windows over a context share. */
  readonly docStride: number;
  /** How many spans to keep per row, and how many starts and ends to consider per window. */
  readonly nBestSize: number;
  /** The longest answer in tokens. */
  readonly maxAnswerLength: number;
  /** Whether questions may have no answer; if so, the best span must beat [CLS]. */
  readonly version2WithNegative: boolean;
  /** How much [CLS] must beat the best span by for there to be no answer. */
  readonly nullScoreDiffThreshold: number;
  /** Names of the columns, if they differ. */
  readonly columns: Readonly<Record<string, string>>;
}

type Input = Partial<QuestionAnsweringOptions>;

const count = (fallback: number, least: number, largest: number) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(largest)), fallback);

/**
 * Extractive question answering: SQuAD's rows, `question`, `context`, `answers`. Contexts that are too long
 * become windows; a row's answer is the best span of all its windows.
 *
 * @example
 * ```ts
 * import { questionAnswering } from "attune/tasks/question-answering";
 * console.assert(questionAnswering({ docStride: 128 }).subtasks[0]?.taskType === "QUESTION_ANS");
 * ```
 */
export const questionAnswering: Factory<"task", Input> = define({
  kind: "task",
  name: "question-answering",
  schema: v.strictObject({
    docStride: count(0, 0, most.tokens),
    nBestSize: count(20, 1, 1000),
    maxAnswerLength: count(30, 1, most.tokens),
    version2WithNegative: v.optional(v.boolean(), false),
    nullScoreDiffThreshold: v.optional(v.number(), 0),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  }),
  create: (options: QuestionAnsweringOptions) => ({ subtasks: [taskOf(options)] }),
});

/** The collator's metadata of a window. */
type About = Readonly<{
  context: string;
  offsets: Int32Array;
  inContext: Int32Array;
  cls: number;
  answers: readonly string[];
}>;

/** A span of a context: its score, start and end. */
type Span = Readonly<{ score: number; start: number; end: number }>;

/** The best spans of a window, and the score of no answer. */
type Part = Readonly<{ about: About | undefined; spans: readonly Span[]; nothing: number }>;

function taskOf(options: QuestionAnsweringOptions): Subtask {
  const { docStride, columns, version2WithNegative } = options;
  const part = (outputs: Named<Tensor>, batch: Batch): Part[] =>
    Array.from({ length: batch.samples }, (_, i) => bestSpans(outputs, batch, i, options));
  const readings = (parts: readonly Part[]): { text: MetricInputs["text"][] } => {
    const { text, nothing } = answerOf(parts, options);
    const [first] = parts;
    if (!first?.about) return { text: [] };
    return { text: [{ prediction: text, references: first.about.answers, noAnswerProbability: nothing }] };
  };
  const prediction = (parts: readonly Part[]): Named<Json> => {
    const { text, score, spans, nothing } = answerOf(parts, options);
    return { text, score, ...(version2WithNegative ? { noAnswerProbability: nothing } : {}), spans };
  };
  const byRow = (parts: readonly Part[], batch: Batch): Part[][] => {
    const rows = new Map<number, Part[]>();
    parts.forEach((part, i) => rows.set(batch.rows[i] ?? 0, [...rows.get(batch.rows[i] ?? 0) ?? [], part]));
    return [...rows.values()];
  };
  return {
    name: "",
    collator: { use: "question-answering", with: { docStride, columns } },
    heads: ["span"],
    losses: [
      { loss: "cross-entropy", output: "startLogits", target: "start_positions", weight: 0.5 },
      { loss: "cross-entropy", output: "endLogits", target: "end_positions", weight: 0.5 },
    ],
    metrics: [version2WithNegative ? "squad-v2" : "squad"],
    taskType: "QUESTION_ANS",
    decode: (outputs, batch) => ({
      text: byRow(part(outputs, batch), batch).flatMap((parts) => readings(parts).text),
    }),
    predict: (outputs, batch) => byRow(part(outputs, batch), batch).map(prediction),
    windows: { part, decode: readings, predict: prediction },
  };
}

/** Returns the best spans of window i: of the likeliest starts and ends, those in the context and not too long. */
function bestSpans(
  { startLogits, endLogits }: Named<Tensor>,
  batch: Batch,
  i: number,
  { nBestSize, maxAnswerLength }: QuestionAnsweringOptions,
): Part {
  const about = batch.metadata?.[i] as About | undefined;
  if (!about) return { about, spans: [], nothing: 0 };
  // In its row, a sequence's token comes after positions added by adapters and after padding on the left.
  const { seq, tokenOrigins: places } = batch.decoder ?? batch;
  const columns: number[] = [];
  for (let column = 0; column < seq; column++) {
    const place = 2 * (i * seq + column);
    if (places[place] === i) columns[places[place + 1] ?? 0] = column;
  }
  const at = (logits: Tensor | undefined, token: number): number =>
    Number(logits?.data[i * seq + (columns[token] ?? 0)]);
  const { inContext, offsets } = about;
  const tokens = Array.from(inContext, (_, token) => token).filter((token) => inContext[token] === 1);
  const likeliest = (logits: Tensor | undefined): number[] =>
    tokens.toSorted((a, b) => at(logits, b) - at(logits, a)).slice(0, nBestSize);
  const ends = likeliest(endLogits);
  const spans = likeliest(startLogits).flatMap((start) =>
    ends.filter((end) => end >= start && end - start < maxAnswerLength).map((end): Span => ({
      score: at(startLogits, start) + at(endLogits, end),
      start: offsets[2 * start] ?? 0,
      end: offsets[2 * end + 1] ?? 0,
    }))
  );
  return {
    about,
    spans: selectSpans(spans, nBestSize),
    nothing: at(startLogits, about.cls) + at(endLogits, about.cls),
  };
}

function selectSpans(spans: readonly Span[], most: number): Span[] {
  return spans.toSorted((a, b) => b.score - a.score).slice(0, most);
}

type AnswerOf = Readonly<{
  text: string;
  score: number;
  nothing: number;
  spans: readonly Readonly<{ text: string; score: number; start: number; end: number }>[];
}>;

/** Returns a row's answer from the spans of its windows: the best span, or none if the lowest [CLS] score beats it. */
function answerOf(
  parts: readonly Part[],
  { nBestSize, version2WithNegative, nullScoreDiffThreshold }: QuestionAnsweringOptions,
): AnswerOf {
  const context = parts[0]?.about?.context ?? "";
  const best = selectSpans(parts.flatMap((part) => part.spans), nBestSize);
  const empty = Math.min(...parts.map((part) => part.nothing));
  const scores = [...best.map((span) => span.score), ...(version2WithNegative ? [empty] : [])];
  const top = Math.max(...scores);
  const total = scores.reduce((sum, score) => sum + Math.exp(score - top), 0);
  const probability = (score: number): number => (total > 0 ? Math.exp(score - top) / total : 0);
  const spans = best.map(({ score, start, end }) => ({
    text: context.slice(start, end),
    score: probability(score),
    start,
    end,
  }));
  const difference = best[0] ? empty - best[0].score : Infinity;
  const none = !best[0] || (version2WithNegative && difference > nullScoreDiffThreshold);
  return {
    text: none ? "" : spans[0]?.text ?? "",
    score: none ? (version2WithNegative ? probability(empty) : 0) : spans[0]?.score ?? 0,
    nothing: version2WithNegative ? 1 / (1 + Math.exp(-difference)) : 0,
    spans,
  };
}
