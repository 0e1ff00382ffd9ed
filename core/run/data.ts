/**
 * A run's rows as samples and batches.
 * @module
 */
import { AttuneError, badValue, missing } from "../errors.ts";
import { layOut, longestFirst } from "../loop/layout.ts";
import type {
  Batch,
  BatchLayout,
  CollatorContext,
  Dataset,
  Field,
  Regularizer,
  Row,
  Sample,
  Subtask,
  TransformReport,
} from "../types.ts";
import { createRandom } from "../random.ts";
import { maxLengthOf, type OpenRun } from "./open.ts";
import type { Tell } from "./telling.ts";

/** Encoded rows. */
export type EncodedRows = Readonly<{
  rows: readonly Row[];
  /** As they are in the first epoch, and in evaluation. */
  samples: readonly Sample[];
  /** A sample as it is in an epoch, where something of it is drawn anew in each. */
  drawn?: (index: number, epoch: number) => Sample;
  fingerprint: string;
  /** Samples that have labels of places, none of which counts. */
  unlabelled: number;
  /** How the collator read the columns. */
  reading?: unknown;
  /** What a person should know of the rows. */
  notes: readonly string[];
  /** What transforms did to them. */
  transforms?: readonly TransformReport[];
}>;

/** How often one looks whether there is progress to tell, in rows. */
const PROGRESS = 64;

/** How rows are read: as others of the run were, and who is told how far it is, under which name. */
export type ReadingOptions = Readonly<{ reading?: unknown; tell?: Tell | undefined; what?: string }>;

/** Where a run spec has a task's data. */
export function dataPath({ name }: Pick<Subtask, "name">): string {
  return name === "" ? "data" : `task.with.tasks.${name}.data`;
}

/** What a task trains on. Throws AttuneError where there is nothing. */
export function trainData({ task, data }: Pick<OpenRun, "task" | "data">): Dataset {
  if (!data.train) throw missing("spec", "the data to train on", `${dataPath(task)}.train`);
  return data.train;
}

/** Reads and encodes a dataset, as `reading` says where other rows of the run were read before. Throws AttuneError where it is empty or a row is not as the task wants it. */
export async function encodeRows(
  open: OpenRun,
  dataset: Dataset,
  labelled: boolean,
  options: ReadingOptions = {},
): Promise<EncodedRows> {
  const { host, collator } = open;
  const opened = await dataset.open(host);
  const rows: Row[] = [];
  const places: (string | undefined)[] = [];
  for await (const { row, where } of opened.read()) {
    rows.push(row);
    places.push(where);
  }
  const looking = labelled ? collator.survey?.() : undefined;
  for (const row of rows) looking?.add(row);
  const survey = looking?.end();
  const reading = options.reading ?? survey?.reading;
  const encoded: Sample[] = [];
  const context = contextOf(open, labelled, reading);
  for (const [i, row] of rows.entries()) {
    try {
      encoded.push(...collator.encode(row, i, context));
    } catch (error) {
      const where = places[i];
      throw where === undefined ? error : locatedAt(error, where);
    }
    const done = i + 1;
    if (done % PROGRESS === 0 || done === rows.length) await options.tell?.(options.what ?? "rows", done, rows.length);
  }
  const drawn = (index: number, epoch: number): Sample => {
    const sample = encoded[index] as Sample;
    const own = collator.resample?.(sample, context.random.fork(epoch, index), context) ?? sample;
    return checked(withDecoder(own, open), open);
  };
  const samples = encoded.map((_, i) => drawn(i, 0));
  const unlabelled = labelled ? samples.filter(nothingCounts).length : 0;
  checkLearned(dataset, samples.length, unlabelled);
  return {
    rows,
    samples,
    fingerprint: opened.fingerprint,
    unlabelled,
    reading,
    notes: survey?.notes ?? [],
    ...(opened.transforms ? { transforms: opened.transforms } : {}),
    ...(collator.resample ? { drawn } : {}),
  };
}

/** What a plan wants to know of rows: how many samples and tokens they are, and the longest. */
export type MeasuredRows = Readonly<{
  samples: number;
  tokens: number;
  /** The longest samples, as many as were asked for, the longest first. */
  longest: readonly Sample[];
  reading?: unknown;
}>;

/** The same of rows that are encoded. */
export function measured({ samples, reading }: EncodedRows): MeasuredRows {
  return {
    samples: samples.length,
    tokens: samples.reduce((n, own) => n + tokensIn(own), 0),
    longest: samples,
    reading,
  };
}

/**
 * Reads and encodes a dataset as `encodeRows` does, and throws as it does, but holds none of the rows but the `keep`
 * longest: there may be more of them than there is memory.
 */
export async function measureRows(
  open: OpenRun,
  dataset: Dataset,
  labelled: boolean,
  { keep, reading: given }: Readonly<{ keep: number; reading?: unknown }>,
): Promise<MeasuredRows> {
  const { collator } = open;
  const opened = await dataset.open(open.host);
  const looking = labelled && given === undefined ? collator.survey?.() : undefined;
  if (looking) { for await (const { row } of opened.read()) looking.add(row); }
  const reading = given ?? looking?.end().reading;
  const context = contextOf(open, labelled, reading);
  const fields = open.run.regularizers.filter((r) => r.fields);
  let kept: Sample[] = [];
  let [rows, samples, tokens, unlabelled] = [0, 0, 0, 0];
  for await (const { row, where } of opened.read()) {
    try {
      for (const sample of collator.encode(row, rows, context)) {
        const drawn = collator.resample?.(sample, context.random.fork(0, samples), context) ?? sample;
        const own = checked(withDecoder(drawn, open), open);
        const more = fields.map((r) => r.fields?.(row, own.row));
        kept.push(more.length === 0 ? own : { ...own, targets: Object.assign({}, own.targets, ...more) });
        samples++;
        tokens += tokensIn(own);
        if (labelled && nothingCounts(own)) unlabelled++;
      }
    } catch (error) {
      throw where === undefined ? error : locatedAt(error, where);
    }
    rows++;
    if (kept.length > 2 * keep + KEPT_SLACK) kept = longestFirst(kept).slice(0, keep);
  }
  checkLearned(dataset, samples, unlabelled);
  return { samples, tokens, longest: longestFirst(kept).slice(0, keep), reading };
}

/** Samples that may be held besides those that are asked for. */
const KEPT_SLACK = 256;

function tokensIn({ sequences }: Sample): number {
  return sequences.reduce((n, { length }) => n + length, 0);
}

function checkLearned(dataset: Dataset, samples: number, unlabelled: number): void {
  if (samples === 0) {
    throw new AttuneError("The data set has no rows", {
      code: "EMPTY_DATA",
      plugin: dataset.name,
      found: 0,
      allowed: ["at least one row"],
    });
  }
  if (unlabelled < samples) return;
  throw new AttuneError(
    `Nothing would be learned: no label of the ${samples} rows counts. What is to be learned may be missing, or ` +
      `lie behind training.maxLength`,
    { code: "NO_LABELS", plugin: dataset.name, found: 0, allowed: ["at least one label that counts"] },
  );
}

/** What a run's collator is told. */
export function contextOf(open: OpenRun, labelled: boolean, reading?: unknown): CollatorContext {
  const { run, tokenizer, checkpoint, backbone } = open;
  return {
    tokenizer,
    random: createRandom(run.training.seed).fork("collator"),
    maxLength: finite(maxLengthOf(open)),
    requiresLabels: labelled,
    modelType: backbone.family.modelType,
    sentencePairs: backbone.family.sentencePairs,
    decoderStartTokenId: backbone.decoderStartTokenId,
    config: checkpoint.config,
    reading,
  };
}

/** An error of a row with the place where a person finds the row. */
function locatedAt(error: unknown, where: string): unknown {
  if (!(error instanceof AttuneError)) return error;
  const { code, plugin, path, found, allowed } = error;
  return new AttuneError(`${where}: ${error.sentence}`, { code, plugin, path, found, allowed, cause: error });
}

/** Rows with what regularizers read of them among the targets. */
export function withFields(encoded: EncodedRows, regularizers: readonly Regularizer[]): EncodedRows {
  const reading = regularizers.filter((r) => r.fields);
  if (reading.length === 0) return encoded;
  const more = (sample: Sample): Sample => {
    const row = encoded.rows[sample.row] ?? {};
    return {
      ...sample,
      targets: Object.assign({}, sample.targets, ...reading.map((r) => r.fields?.(row, sample.row))),
    };
  };
  const { drawn } = encoded;
  return {
    ...encoded,
    samples: encoded.samples.map(more),
    ...(drawn && { drawn: (index: number, epoch: number) => more(drawn(index, epoch)) }),
  };
}

/** Whether a sample has labels of places, and none of them counts. */
function nothingCounts({ sequences }: Sample): boolean {
  const fields = sequences.flatMap((s) => Object.values(s.fields)).filter((field) => field.ignoreIndex !== undefined);
  return fields.length > 0 &&
    fields.every(({ data, ignoreIndex: ignore, size = 1, shift = 0 }) =>
      data.subarray(shift * size).every((x) => x === ignore)
    );
}

function finite(length: number): number | undefined {
  return Number.isFinite(length) ? length : undefined;
}

/** Where a model has a decoder's side and a task does not say what it reads there: its inputs, shifted right. */
function withDecoder(sample: Sample, { backbone: { decoderStartTokenId: decoderStart } }: OpenRun): Sample {
  if (decoderStart === undefined || sample.sequences.some((s) => s.decoderLength !== undefined)) return sample;
  return {
    ...sample,
    sequences: sample.sequences.map((sequence) => {
      const ids = sequence.fields.input_ids;
      if (!ids) return sequence;
      const shifted = Int32Array.from(ids.data, (_, i) => (i === 0 ? decoderStart : Number(ids.data[i - 1])));
      const field: Field = { axis: "decoderToken", data: shifted, padValue: ids.padValue };
      return {
        length: sequence.length,
        decoderLength: sequence.length,
        fields: { ...sequence.fields, decoder_input_ids: field },
      };
    }),
  };
}

/** Ready-made rows may be longer than the model's positions, or name tokens that it does not have. */
function checked(sample: Sample, { backbone, layout: { reserve } }: OpenRun): Sample {
  const [own, other] = backbone.decoderStartTokenId === undefined ? [reserve.positions, 0] : [0, reserve.positions];
  const positions = backbone.goesBeyond ? Infinity : backbone.maxPositions;
  for (const { length, decoderLength = 0, fields } of sample.sequences) {
    for (
      const [size, what, room] of [
        [length, "tokens", positions - reserve.tokens - own],
        [decoderLength, "tokens of the decoder", positions - other],
      ] as const
    ) {
      if (size <= room) continue;
      throw badValue(
        "engine",
        `row ${sample.row}`,
        `${size} ${what}`,
        `at most ${room} (the model's positions${
          room < backbone.maxPositions ? ", less those that adapters take" : ""
        })`,
      );
    }
    for (const name of ["input_ids", "decoder_input_ids"]) {
      const wrong = fields[name]?.data.find((id) => id < 0 || id >= backbone.vocabSize);
      if (wrong === undefined) continue;
      throw badValue("engine", `${name} of row ${sample.row}`, wrong, `an id from 0 to ${backbone.vocabSize - 1}`);
    }
  }
  return sample;
}

/** Samples in batches of `size`, in order, laid out when they are asked for. */
export function* batchesInOrder(samples: readonly Sample[], size: number, layout: BatchLayout): Generator<Batch> {
  for (let start = 0; start < samples.length; start += size) yield layOut(samples.slice(start, start + size), layout);
}

/** Samples in batches of at most so many places before padding is shared out, in order; one that is longer stands alone. */
export function* batchesOfTokens(samples: readonly Sample[], tokens: number, layout: BatchLayout): Generator<Batch> {
  let group: Sample[] = [];
  let longest = 0;
  let count = 0;
  for (const sample of samples) {
    const widest = Math.max(longest, ...sample.sequences.map((s) => s.length + layout.reserve.tokens));
    const sequences = count + sample.sequences.length;
    if (group.length > 0 && widest * sequences > tokens) {
      yield layOut(group, layout);
      group = [];
      longest = Math.max(0, ...sample.sequences.map((s) => s.length + layout.reserve.tokens));
      count = sample.sequences.length;
    } else {
      longest = widest;
      count = sequences;
    }
    group.push(sample);
  }
  if (group.length > 0) yield layOut(group, layout);
}

/** The distinct ids that samples name on either side, sorted, with those of padding; one list for both sides. */
export function activeIds(samples: Iterable<Sample>): Map<string, Int32Array> {
  const sides = ["input_ids", "decoder_input_ids"];
  const seen = new Set<number>();
  const found = new Set<string>();
  for (const sample of samples) {
    for (const { fields } of sample.sequences) {
      for (const side of sides) {
        const own = fields[side];
        if (!own) continue;
        found.add(side);
        seen.add(own.padValue);
        for (const id of own.data) seen.add(id);
      }
    }
  }
  const ids = Int32Array.from([...seen].sort((a, b) => a - b));
  return new Map([...found].map((side) => [side, ids]));
}

/** Rows with labels, read as `options` say, and with what a teacher says of them where the task has one. Throws as `encodeRows` and `addTeacherTargets` do. */
export async function labelledRows(
  open: OpenRun,
  dataset: Dataset,
  options: ReadingOptions = {},
): Promise<EncodedRows> {
  const encoded = await encodeRows(open, dataset, true, options);
  const { teacher } = open.task;
  return teacher ? await (await import("./teacher.ts")).addTeacherTargets(open, teacher, encoded, options) : encoded;
}
