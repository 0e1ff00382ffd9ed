/** A data set's rows as samples, encoded as they are needed: there may be more of them than there is memory. */
import { AttuneError, badValue } from "../../base/errors.ts";
import type { Regularizer, Row, Sample, TransformReport } from "../../types.ts";
import type { EncodingBeside } from "./beside.ts";
import type { RowEncoder } from "./encoding.ts";
import { createSampleLevels, type SampleKeeping, type SampleLevels } from "./sample_levels.ts";
import { createSampleSizes, type GrowingSizes, type SampleSizes, sizeOf } from "./sample_sizes.ts";
import type { SeekableRows } from "../../data/seekable_rows.ts";
import { collect } from "../../base/collect.ts";

/** Encoded rows: samples by their place, in the order of the rows. */
export type EncodedRows = Readonly<{
  /** How many samples there are. */
  count: number;
  fingerprint: string;
  /** Samples as they are in an epoch; in the first one, and in evaluation, where none is named. */
  samples(places: readonly number[], epoch?: number): Promise<readonly Sample[]>;
  /** How many rows there are. */
  rowCount: number;
  /** Rows, by the numbers that samples have of them. */
  rows(numbers: readonly number[]): Promise<readonly Row[]>;
  /** Whether something of samples is drawn anew in each epoch. */
  redrawn: boolean;
  /** What was looked at before the first step: all samples, or of many the first. */
  looked: SampleSizes;
  /** The sizes of all samples, which are encoded for it where that was not done before. */
  sizes(): Promise<SampleSizes>;
  /**
   * Places of the largest samples, the largest first: of those that were looked at, and that their source says are
   * long.
   */
  largest(count: number): Promise<readonly number[]>;
  /** How the collator read the columns. */
  reading?: unknown;
  /** What a person should know of the rows. */
  notes: readonly string[];
  /** What transforms did to them. */
  transforms?: readonly TransformReport[];
  /** Ends with the run that reads them: writes down the samples that wait to be, and ends what encodes beside its steps. */
  close?: () => Promise<void>;
}>;

/** Tokens that are looked at before the first step: smaller data sets are checked whole. */
const LOOKED_TOKENS = 2 ** 17;

/** Rows that are encoded at once where all are. */
const AT_ONCE = 256;

/** How rows are encoded. */
export type EncodingOptions = Readonly<{
  source: SeekableRows;
  encoder: RowEncoder;
  labelled: boolean;
  /** Whether every row is one sample: only then is it known how many there are before all are encoded. */
  oneEach: boolean;
  /** Finds the sizes of the same samples, as an earlier run has left them, and keeps them. */
  storedSizes?:
    | Readonly<{ find(): Promise<SampleSizes | undefined>; keep(sizes: GrowingSizes): Promise<void> }>
    | undefined;
  /** Where encoded samples are kept, besides in memory. */
  keeping?: SampleKeeping | undefined;
  /** Encodes the rows of a run's steps elsewhere, while the run's own thread computes. */
  beside?: EncodingBeside | undefined;
  /** How often all rows pass. */
  passes?: number;
  /** Is told of each row that was looked at. */
  tell?: ((done: number, total: number) => Promise<void>) | undefined;
}>;

/**
 * Rows that are encoded; the first of them, or all of few, are looked at. Throws AttuneError if one is not as the
 * task wants it.
 */
export async function lookAtRows(
  options: EncodingOptions,
): Promise<Pick<EncodedRows, "count" | "samples" | "looked" | "sizes" | "largest" | "close">> {
  const { source, encoder, labelled, oneEach } = options;
  const levels = createSampleLevels(options.keeping);
  // Small data is checked whole; of other data it must be known how many samples there are.
  const pass = oneEach
    ? await encodeInOrder(
      options,
      levels,
      ({ total, unlabelled, weightless, count }) => total >= LOOKED_TOKENS && unlabelled < count && weightless < count,
    )
    : await allSizes(options, levels);
  const isAll = !oneEach || pass.count >= source.length;
  let before = 0;
  const count = isAll ? pass.count : source.length;
  const reader = {
    ...options,
    levels,
    count,
    before: () => before,
    row: isAll ? pass.row : same,
    firstOf: isAll ? pass.firstOf : same,
  };
  const samples: EncodedRows["samples"] = (places, epoch) => samplesAt(reader, places, epoch);
  let looked = pass;
  if (encoder.redraws && isAll) {
    // What is drawn for a sample may need all rows to have been seen.
    const sizes = createSampleSizes(labelled);
    for await (const sample of inOrder({ count, samples })) sizes.add(sample);
    looked = sizes;
  }
  before = levels.timing().encoded;
  let all: Promise<SampleSizes> | undefined = isAll ? Promise.resolve(looked) : undefined;
  return {
    count,
    looked,
    samples,
    sizes: () => all ??= allSizes(options, levels),
    close: async () => {
      await levels.flush();
      await options.beside?.close();
    },
    largest: async (most) => {
      const known = all ? await all : looked;
      if (known.count === count) return known.largest(most);
      const places = [...new Set([...known.largest(most), ...source.longest ?? spread(count)])];
      const candidates = (await samples(places)).map((sample, i) => ({ place: places[i] ?? 0, size: sizeOf(sample) }));
      return candidates.sort((a, b) => b.size - a.size || a.place - b.place).slice(0, most).map(({ place }) => place);
    },
  };
}

const same = (number: number): number => number;

/** The sizes of all samples: as they are known, or all are encoded. */
async function allSizes(options: EncodingOptions, levels: SampleLevels): Promise<SampleSizes> {
  // What is drawn anew says nothing of what is drawn for this run.
  const known = options.encoder.redraws ? undefined : options.storedSizes;
  const before = await known?.find();
  if (before) return before;
  const sizes = await encodeInOrder(options, levels, () => false);
  await known?.keep(sizes);
  return sizes;
}

/** Encodes rows one after the other, all or until enough is known; where a row may be several samples, all. */
async function encodeInOrder(
  { source, encoder, labelled, oneEach, tell }: EncodingOptions,
  levels: SampleLevels,
  isEnough: (sizes: SampleSizes) => boolean,
): Promise<GrowingSizes> {
  const sizes = createSampleSizes(labelled);
  let number = 0;
  for await (const { row, where } of source.read()) {
    for (const sample of levels.timed(() => encoder.encode(row, number, where))) {
      const place = sizes.count;
      // Where nothing is drawn anew a sample is the same in every epoch.
      const finished = encoder.redraws ? sample : encoder.finish(sample, place, 0);
      await levels.put(place, finished);
      sizes.add(encoder.redraws && oneEach ? encoder.finish(sample, place, 0) : finished);
    }
    number++;
    await tell?.(number, source.length);
    if (oneEach && isEnough(sizes)) break;
  }
  if (number >= source.length) await levels.flush();
  return sizes;
}

/** What samples are read with. */
type SampleReader =
  & EncodingOptions
  & Pick<SampleSizes, "row" | "firstOf">
  & Readonly<{
    levels: SampleLevels;
    count: number;
    /** How many rows were encoded before the first step. */
    before: () => number;
  }>;

/**
 * Samples by their index. An epoch is named by the steps of a run alone: these can have been asked for ahead of time.
 */
async function samplesAt(reader: SampleReader, places: readonly number[], epoch?: number): Promise<readonly Sample[]> {
  const { encoder, levels, count } = reader;
  for (const place of places) {
    if (Number.isInteger(place) && place >= 0 && place < count) continue;
    throw badValue("data", "sample", place, `a sample from 0 to ${count - 1}`);
  }
  const ready = new Map(await levels.get(places, (some) => freshAt(reader, some)));
  const missing = places.filter((place) => !ready.has(place));
  for (const [place, sample] of await freshAt(reader, missing, epoch !== undefined)) {
    await levels.put(place, sample);
    ready.set(place, sample);
  }
  if (levels.count() >= count) await levels.flush();
  return places.map((place) => {
    const sample = ready.get(place) as Sample;
    return encoder.redraws ? encoder.finish(sample, place, epoch ?? 0) : sample;
  });
}

/**
 * The samples at some places, encoded now, with the others of their rows. `isAhead`: there may be time to encode them
 * elsewhere.
 */
async function freshAt(
  reader: SampleReader,
  places: readonly number[],
  isAhead = false,
): Promise<ReadonlyMap<number, Sample>> {
  const { source, encoder, oneEach } = reader;
  const fresh = new Map<number, Sample>();
  const numbers = [...new Set(places.map(reader.row))];
  const rows = numbers.length > 0 ? await source.at(numbers) : [];
  const elsewhere = isAhead && rows.length > 0 ? await encodedElsewhere(reader, rows, numbers) : undefined;
  for (const [i, row] of rows.entries()) {
    const number = numbers[i] ?? 0;
    const ready = elsewhere?.[i];
    // What is wrong with a row is said here.
    const samples = ready && (!oneEach || ready.length === 1) ? ready : await encodedAt(reader, row, number);
    for (const [k, sample] of samples.entries()) {
      const place = reader.firstOf(number) + k;
      fresh.set(place, ready === samples || encoder.redraws ? sample : encoder.finish(sample, place, 0));
    }
  }
  return fresh;
}

/**
 * The samples of rows of steps to come, finished but for what is drawn in each epoch; undefined if nobody else
 * encodes them.
 */
async function encodedElsewhere(
  { beside, levels, source, passes = 1, before }: SampleReader,
  rows: readonly Row[],
  numbers: readonly number[],
): Promise<readonly (readonly Sample[])[] | undefined> {
  if (!beside) return undefined;
  const timing = levels.timing();
  const size = levels.count();
  const toCome = passes * source.length + before() - timing.encoded;
  // While all that was encoded is kept, no row comes twice.
  const remaining = size >= timing.encoded ? Math.min(toCome, source.length - size) : toCome;
  const samples = await beside.encode(rows, numbers, { ...timing, remaining });
  if (samples) levels.passed(rows.length);
  return samples;
}

/** The samples of a row that was read by its number, as many as were found of it before. */
async function encodedAt(
  { source, encoder, oneEach, levels }: SampleReader,
  row: Row,
  number: number,
): Promise<readonly Sample[]> {
  const encode = (where?: string): readonly Sample[] => {
    const samples = levels.timed(() => encoder.encode(row, number, where));
    if (!oneEach || samples.length === 1) return samples;
    throw new AttuneError(
      `Row ${number} became ${samples.length} samples, but its collator promises one per row (oneEach)`,
      { code: "BAD_VALUE", plugin: "data", found: samples.length, allowed: ["1"] },
    );
  };
  try {
    return encode();
  } catch (error) {
    // Where it stands is looked for only if someone wants to know.
    const where = await source.where?.(number);
    if (where === undefined) throw error;
    return encode(where);
  }
}

/** Places that are spread over all, where no one knows which are long. */
function spread(count: number): number[] {
  return Array.from({ length: Math.min(count, AT_ONCE) }, (_, i) => Math.floor(i * count / Math.min(count, AT_ONCE)));
}

/** All samples in order, some of them in memory at a time. */
export async function* inOrder(
  { count, samples }: Pick<EncodedRows, "count" | "samples">,
  most: number = count,
): AsyncGenerator<Sample> {
  const end = Math.min(count, most);
  for (let start = 0; start < end; start += AT_ONCE) {
    yield* await samples(Array.from({ length: Math.min(AT_ONCE, end - start) }, (_, i) => start + i));
  }
}

/** All samples, or the first so many, in memory. */
export async function allSamples(rows: Pick<EncodedRows, "count" | "samples">, most?: number): Promise<Sample[]> {
  return await collect(inOrder(rows, most));
}

/** All rows in order with their numbers, some of them in memory at a time. */
export async function* rowsInOrder(
  { rowCount, rows }: Pick<EncodedRows, "rowCount" | "rows">,
): AsyncGenerator<Readonly<{ row: Row; number: number }>> {
  for (let start = 0; start < rowCount; start += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, rowCount - start) }, (_, i) => start + i);
    for (const [i, row] of (await rows(numbers)).entries()) yield { row, number: start + i };
  }
}

/** The same rows with each sample changed. `change` receives the sample's index. */
export function mapSamples(
  encoded: EncodedRows,
  change: (samples: readonly Sample[], places: readonly number[]) => readonly Sample[] | Promise<readonly Sample[]>,
): EncodedRows {
  return {
    ...encoded,
    samples: async (places, epoch) => await change(await encoded.samples(places, epoch), places),
  };
}

/** Rows with what regularizers read of them among the targets. */
export function withFields(encoded: EncodedRows, regularizers: readonly Regularizer[]): EncodedRows {
  const reading = regularizers.filter((r) => r.fields);
  if (reading.length === 0) return encoded;
  return mapSamples(encoded, async (samples) => {
    const rows = await encoded.rows(samples.map(({ row }) => row));
    return samples.map((sample, i) => ({
      ...sample,
      targets: Object.assign({}, sample.targets, ...reading.map((r) => r.fields?.(rows[i] ?? {}, sample.row))),
    }));
  });
}
