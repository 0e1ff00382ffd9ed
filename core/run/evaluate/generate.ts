/** Text generation for rows. */
import type { Generator, Step } from "../../engine/generator.ts";
import { badFile, badValue } from "../../base/errors.ts";
import { type GenerationOptions, generationOptions } from "../../generate/options.ts";
import { search, type Steps } from "../../generate/search.ts";
import type { RowsSeen } from "../../loop/evaluate.ts";
import { type Measured, measureRows } from "../../loop/measure.ts";
import { layOut } from "../../loop/layout.ts";
import { createRandom } from "../../math/random.ts";
import type {
  Field,
  GenerationConfig,
  Json,
  Metric,
  MetricInputs,
  Named,
  Question,
  Sample,
  Tensor,
} from "../../types.ts";
import type { Samples } from "../rows/ordered_batches.ts";
import { type EncodedRows, inOrder, rowsInOrder } from "../rows/encoded_rows.ts";
import { contextOf } from "../rows/encoding.ts";
import type { OpenRun } from "../open/open.ts";
import { columnsRead, pickColumns } from "../rows/row_columns.ts";

/** A sample with its generated tokens, including the end token if one was generated. */
export type Generated = Readonly<{ sample: Sample; tokens: readonly number[] }>;

/** Returns the generation options of an opened run. Throws AttuneError if they ask for something not implemented. */
export async function generationOf(open: OpenRun, changes?: Partial<GenerationConfig>): Promise<GenerationOptions> {
  const { checkpoint, task } = open;
  const file = await checkpoint.files.get("generation_config.json");
  const saved = file && parsed(file.bytes);
  return generationOptions({ ...task.generate, ...changes }, checkpoint.config, saved);
}

/** Yields a prediction for each sample of a task that generates text. */
export async function* generateRows(
  open: OpenRun,
  generator: Pick<Generator, "prefill" | "decode">,
  samples: Samples,
): AsyncIterable<Named<Json>> {
  const options = await generationOf(open);
  for await (const generated of generateSamples(open, generator, samples, options)) {
    const batch = layOut([generated.sample], { ...open.layout, rowSharing: false });
    yield* open.task.predict({ sequences: sequencesOf([generated]) }, batch, open.tokenizer);
  }
}

/** Generates the continuation of each sample's prompt, in order. `from`: number of prompts generated before. */
export async function* generateSamples(
  open: OpenRun,
  generator: Pick<Generator, "prefill" | "decode">,
  samples: Samples,
  options: GenerationOptions,
  from = 0,
): AsyncIterable<Generated> {
  const size = open.run.training.perDeviceEvalBatchSize;
  const random = createRandom(options.seed).fork("generate");
  let start = from;
  for await (const chunk of chunks(samples, size)) {
    const prompts = chunk.map((sample) => promptOf(sample, open.backbone.decoderStartTokenId !== undefined));
    const tokens = prompts.map((prompt) => promptTokens(prompt));
    const texts = await search(
      stepsOf(open, generator, prompts),
      tokens,
      options,
      (i) => ({
        random: random.fork(start + i),
        room: roomAfter(open, tokens[i] ?? [], chunk[i]?.row ?? 0),
        source: sourceTokens(prompts[i]),
      }),
    );
    for (const [i, tokens] of texts.entries()) yield { sample: chunk[i] as Sample, tokens };
    start += chunk.length;
  }
}

/** Returns the decoding steps of prompts. The cache is recomputed once a text passes the length where RoPE switches. */
function stepsOf(
  { layout, backbone }: OpenRun,
  generator: Pick<Generator, "prefill" | "decode">,
  prompts: readonly Sample[],
): Steps {
  // The last token of a prompt counts even if it is the padding token.
  const { padTokenId: _, ...plain } = layout;
  const first = async (samples: readonly Sample[]): Promise<Step> =>
    await generator.prefill(layOut(samples, { ...plain, rowSharing: false, padToLength: 0 }));
  const most = (backbone.ropeSwitchLength ?? Infinity) - layout.reserve.tokens - layout.reserve.positions;
  const long = (): boolean => texts.some((text) => text.length > most);
  let texts = prompts.map(promptTokens);
  let step: Step | undefined;
  return {
    first: async () => step = await first(prompts),
    next: async (from, tokens) => {
      const wasLong = long();
      texts = Array.from(from, (row, i) => [...texts[row] ?? [], tokens[i] ?? 0]);
      const again = long() && !wasLong;
      return step = again ? await first(texts.map(sampleOf)) : await generator.decode(step as Step, from, tokens);
    },
  };
}

function sampleOf(ids: readonly number[], row: number): Sample {
  const fields = { input_ids: { axis: "token", data: Int32Array.from(ids), padValue: 0 } } as const;
  return { sequences: [{ length: ids.length, fields }], targets: {}, row };
}

/** Returns how many tokens can follow a prompt. Throws AttuneError if there is no room for any. */
function roomAfter({ backbone, layout }: OpenRun, prompt: readonly number[], row: number): number {
  const reserved = layout.reserve.positions + (backbone.decoderStartTokenId === undefined ? layout.reserve.tokens : 0);
  const room = backbone.maxPositions - reserved - prompt.length;
  if (room >= 1) return room;
  const most = backbone.maxPositions - reserved - 1;
  throw badValue("generate", `row ${row}`, `${prompt.length} tokens`, `at most ${most} (room for one more)`);
}

/** Returns generated tokens as the output `sequences` [rows, longest], with -1 after the end of each row. */
function sequencesOf(generated: readonly Generated[]): Tensor {
  const longest = Math.max(0, ...generated.map(({ tokens }) => tokens.length));
  const data = new Int32Array(generated.length * longest).fill(-1);
  generated.forEach(({ tokens }, i) => data.set(tokens, i * longest));
  return { dtype: "int32", dims: [generated.length, longest], data };
}

/** Yields the questions of rows: those of their collator, or the inputs before the labels. */
export async function* questionsOf(open: OpenRun, rows: EncodedRows): AsyncGenerator<Question, undefined> {
  const { collator, tokenizer } = open;
  if (!collator.questions) {
    for await (const sample of inOrder(rows)) {
      const reference = tokenizer.decode(labelsOf(sample), { skipSpecialTokens: true });
      yield { sample, prompt: "", reference };
    }
    return;
  }
  const context = contextOf(open, false, rows.reading);
  for await (const { row, number } of rowsInOrder(rows)) yield* collator.questions(row, number, context);
}

/** Yields the generated text and the reference answer for each question. */
export async function* generateAnswers(
  open: OpenRun,
  generator: Pick<Generator, "prefill" | "decode">,
  questions: AsyncIterable<Question>,
  preset?: GenerationOptions,
): AsyncIterable<MetricInputs["text"] & Readonly<{ row: number }>> {
  const options = preset ?? await generationOf(open);
  const ended = (tokens: readonly number[]): readonly number[] =>
    options.eosTokenIds.includes(tokens.at(-1) ?? -1) ? tokens.slice(0, -1) : tokens;
  let from = 0;
  for await (const chunk of chunks(questions, open.run.training.perDeviceEvalBatchSize)) {
    const samples = chunk.map(({ sample }) => sample);
    let i = 0;
    for await (const { sample, tokens } of generateSamples(open, generator, samples, options, from)) {
      const { prompt = "", reference = "" } = chunk[i++] ?? {};
      const prediction = open.tokenizer.decode(ended(tokens), { skipSpecialTokens: true });
      const promptField = prompt === "" ? {} : { prompt };
      yield { row: sample.row, prediction: prediction.trim(), references: [reference.trim()], ...promptField };
    }
    from += chunk.length;
  }
}

/** Yields values in groups of `size`, without reading further ahead. */
async function* chunks<T>(values: Iterable<T> | AsyncIterable<T>, size: number): AsyncGenerator<readonly T[]> {
  let chunk: T[] = [];
  for await (const value of values) {
    chunk.push(value);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

/** Yields the first `count` values, without reading more. */
export async function* first<T>(values: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  let used = 0;
  if (count === 0) return;
  for await (const value of values) {
    yield value;
    if (++used >= count) return;
  }
}

/** Returns metrics of generated text against the answers of rows. */
export async function textMetrics(
  open: OpenRun,
  generator: Pick<Generator, "prefill" | "decode">,
  rows: EncodedRows,
  metrics: readonly Metric[],
  rowsSeen?: RowsSeen,
): Promise<Measured> {
  const measurement = measureRows(metrics, undefined);
  const metricColumns = columnsRead(open);
  for await (const { row, ...text } of generateAnswers(open, generator, questionsOf(open, rows))) {
    const dataRows = metricColumns.length > 0 ? await rows.rows([row]) : [];
    const columns = metricColumns.length > 0 ? dataRows.map((row) => pickColumns(row, metricColumns)) : undefined;
    const read = { rows: [row], readings: { text: [text] }, columns };
    await rowsSeen?.(read);
    measurement.add(read);
  }
  return measurement.measured();
}

function parsed(bytes: Uint8Array): Named<Json> {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw badFile("generate", "generation_config.json", "is not JSON");
  }
}

/** Returns the sample cut before its first label that counts; of a decoder's side, only the first token is kept. */
function promptOf(sample: Sample, decoder: boolean): Sample {
  const [sequence] = sample.sequences;
  if (!sequence) return sample;
  const { labels, ...fields } = sequence.fields;
  const side = decoder ? "decoderToken" : "token";
  const fullLength = decoder ? sequence.decoderLength ?? 0 : sequence.length;
  const learned = labels ? labels.data.findIndex((label) => label !== labels.ignoreIndex) : -1;
  const length = decoder ? 1 : learned > 0 ? learned : fullLength;
  const cut = (field: Field): Field =>
    field.axis === side ? { ...field, data: field.data.slice(0, length * (field.size ?? 1)) } : field;
  const cutFields = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, cut(field)]));
  const lengths = decoder ? { length: sequence.length, decoderLength: length } : { length };
  return { ...sample, sequences: [{ ...lengths, fields: cutFields }] };
}

function promptTokens({ sequences: [sequence] }: Sample): number[] {
  const { decoder_input_ids: decoder, input_ids: input } = sequence?.fields ?? {};
  return Array.from((decoder ?? input)?.data ?? []);
}

/** Returns the source tokens of a text: the encoder's inputs, or the prompt if there is only a decoder. */
function sourceTokens(sample: Sample | undefined): number[] {
  return Array.from(sample?.sequences[0]?.fields.input_ids?.data ?? []);
}

function labelsOf({ sequences: [sequence] }: Sample): number[] {
  const labels = sequence?.fields.labels;
  const all = Array.from(labels?.data ?? []);
  const first = all.findIndex((label) => label !== labels?.ignoreIndex);
  // If labels form several spans, generation corresponds to the first.
  const end = labels?.shift ? all.findIndex((label, i) => i > first && label === labels.ignoreIndex) : -1;
  return all.slice(Math.max(0, first), end < 0 ? undefined : end).filter((label) => label !== labels?.ignoreIndex);
}
