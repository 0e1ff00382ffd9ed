/** A data set's rows as samples, which are encoded on demand since they may not all fit into memory. */
import { AttuneError, badValue } from "../../base/errors.ts";
import type { Regularizer, Row, Sample, TransformReport } from "../../types.ts";
import type { EncodingBeside } from "./beside.ts";
import type { RowEncoder } from "./encoding.ts";
import { createSampleLevels, type SampleKeeping, type SampleLevels } from "./sample_levels.ts";
import { createSampleSizes, type GrowingSizes, type SampleSizes, sizeOf } from "./sample_sizes.ts";
import type { SeekableRows } from "../../data/seekable_rows.ts";
import { collect } from "../../base/collect.ts";

/** Encoded rows: samples by index ("place"), in the order of the rows. */
export type EncodedRows = Readonly<{
  /** Number of samples. */
  count: number;
  fingerprint: string;
  /** Returns samples as they are in an epoch; without one, as in the first epoch and in evaluation. */
  samples(places: readonly number[], epoch?: number): Promise<readonly Sample[]>;
  /** Number of rows. */
  rowCount: number;
  /** Returns rows by their numbers (`Sample.row`). */
  rows(numbers: readonly number[]): Promise<readonly Row[]>;
  /** Whether parts of samples are drawn anew in each epoch. */
  redrawn: boolean;
  /** Sizes of the samples inspected before the first step: all samples, or the first of many. */
  looked: SampleSizes;
  /** Returns the sizes of all samples, encoding them if that has not happened yet. */
  sizes(): Promise<SampleSizes>;
  /**
   * Returns the places of the largest samples, the largest first, among those inspected and those that the source
   * reports as long.
   */
  largest(count: number): Promise<readonly number[]>;
  /** How the collator read the columns. */
  reading?: unknown;
  /** Notes about the rows for the user. */
  notes: readonly string[];
  /** Reports of the transforms of these rows. */
  transforms?: readonly TransformReport[];
  /** Called at the end of the run: writes pending samples to disk, and ends the encoding thread. */
  close?: () => Promise<void>;
}>;

/** Tokens that are inspected before the first step; smaller data sets are checked completely. */
const LOOKED_TOKENS = 2 ** 17;

/** Samples that are read at a time when all are read in order. */
const AT_ONCE = 256;

/** Options of encoding rows. */
export type EncodingOptions = Readonly<{
  source: SeekableRows;
  encoder: RowEncoder;
  labelled: boolean;
  /** Whether every row is one sample; otherwise the number of samples is unknown until all rows are encoded. */
  oneEach: boolean;
  /** Finds the sizes of the same samples from an earlier run, and keeps those of this run. */
  storedSizes?:
    | Readonly<{ find(): Promise<SampleSizes | undefined>; keep(sizes: GrowingSizes): Promise<void> }>
    | undefined;
  /** Disk cache of encoded samples, beside the one in memory. */
  keeping?: SampleKeeping | undefined;
  /** Encodes the rows of a run's steps in another thread, while the run's own thread computes. */
  beside?: EncodingBeside | undefined;
  /** How often the run goes through all rows. */
  passes?: number;
  /** Called after each inspected row. */
  tell?: ((done: number, total: number) => Promise<void>) | undefined;
}>;

/**
 * Returns encoded rows after inspecting the first of them, or all if there are few. Throws AttuneError if the task
 * cannot read one.
 */
export async function inspectRows(
  options: EncodingOptions,
): Promise<Pick<EncodedRows, "count" | "samples" | "looked" | "sizes" | "largest" | "close">> {
  const { source, encoder, labelled, oneEach } = options;
  const levels = createSampleLevels(options.keeping);
  // Small data is checked completely. If a row may be several samples, all are encoded to count the samples.
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
    // Drawing a sample may require that the collator has seen all rows, so samples are measured in a second pass.
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

/** Returns the sizes of all samples, from an earlier run or by encoding all of them. */
async function allSizes(options: EncodingOptions, levels: SampleLevels): Promise<SampleSizes> {
  // Sizes of redrawn samples from an earlier run say nothing about the samples of this run.
  const known = options.encoder.redraws ? undefined : options.storedSizes;
  const before = await known?.find();
  if (before) return before;
  const sizes = await encodeInOrder(options, levels, () => false);
  await known?.keep(sizes);
  return sizes;
}

/** Encodes rows in order until `isEnough`, or all rows if a row may be several samples. */
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
      // Without redrawing, a sample is the same in every epoch.
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

/** Everything that reading samples needs. */
type SampleReader =
  & EncodingOptions
  & Pick<SampleSizes, "row" | "firstOf">
  & Readonly<{
    levels: SampleLevels;
    count: number;
    /** Returns how many rows were encoded before the first step. */
    before: () => number;
  }>;

/**
 * Returns samples by their places. Only training steps name an epoch; their samples are requested ahead of time, so
 * that another thread may encode them.
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
 * Encodes the samples at some places, and the other samples of the same rows. `isAhead`: they are requested early
 * enough for another thread to encode them.
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
    // Rows with an error are encoded again here, which throws that error.
    const samples = ready && (!oneEach || ready.length === 1) ? ready : await encodedAt(reader, row, number);
    for (const [k, sample] of samples.entries()) {
      const place = reader.firstOf(number) + k;
      fresh.set(place, ready === samples || encoder.redraws ? sample : encoder.finish(sample, place, 0));
    }
  }
  return fresh;
}

/**
 * Returns the samples of future steps' rows from another thread, finished except for redraws of each epoch; undefined
 * if no thread encodes them.
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
  // As long as every encoded sample is kept, no row is encoded twice.
  const remaining = size >= timing.encoded ? Math.min(toCome, source.length - size) : toCome;
  const samples = await beside.encode(rows, numbers, { ...timing, remaining });
  if (samples) levels.passed(rows.length);
  return samples;
}

/** Encodes a row that was read by its number. Throws AttuneError if `oneEach` rows become several samples. */
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
    // The location of a row is looked up only for an error, since finding it takes time.
    const where = await source.where?.(number);
    if (where === undefined) throw error;
    return encode(where);
  }
}

/** Returns places spread evenly over all, for sources that do not report long rows. */
function spread(count: number): number[] {
  return Array.from({ length: Math.min(count, AT_ONCE) }, (_, i) => Math.floor(i * count / Math.min(count, AT_ONCE)));
}

/** Yields all samples in order, or the first `most`, with only some of them in memory at a time. */
export async function* inOrder(
  { count, samples }: Pick<EncodedRows, "count" | "samples">,
  most: number = count,
): AsyncGenerator<Sample> {
  const end = Math.min(count, most);
  for (let start = 0; start < end; start += AT_ONCE) {
    yield* await samples(Array.from({ length: Math.min(AT_ONCE, end - start) }, (_, i) => start + i));
  }
}

/** Returns all samples, or the first `most`, in memory. */
export async function allSamples(rows: Pick<EncodedRows, "count" | "samples">, most?: number): Promise<Sample[]> {
  return await collect(inOrder(rows, most));
}

/** Yields all rows with their numbers, in order, with only some of them in memory at a time. */
export async function* rowsInOrder(
  { rowCount, rows }: Pick<EncodedRows, "rowCount" | "rows">,
): AsyncGenerator<Readonly<{ row: Row; number: number }>> {
  for (let start = 0; start < rowCount; start += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, rowCount - start) }, (_, i) => start + i);
    for (const [i, row] of (await rows(numbers)).entries()) yield { row, number: start + i };
  }
}

/** Returns rows whose samples are changed by `change`, which also receives their places. */
export function mapSamples(
  encoded: EncodedRows,
  change: (samples: readonly Sample[], places: readonly number[]) => readonly Sample[] | Promise<readonly Sample[]>,
): EncodedRows {
  return {
    ...encoded,
    samples: async (places, epoch) => await change(await encoded.samples(places, epoch), places),
  };
}

/** Returns rows whose samples have the `fields` of regularizers among their targets. */
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
