/** Sizes and row numbers of samples, in a few bytes for each. */
import { joinBytes, jsonBytes } from "../../base/bytes.ts";
import type { Sample } from "../../types.ts";
import { nothingCounts, tokensIn } from "./encoding.ts";

/** Sizes of inspected samples, in order. */
export interface SampleSizes {
  readonly count: number;
  /** Number of tokens in all samples. */
  readonly total: number;
  /** Number of samples with labels per position that are all ignored. */
  readonly unlabelled: number;
  /** Number of samples whose rows have weight 0. */
  readonly weightless: number;
  /** The first row whose sample has several sequences; undefined if every sample has one. */
  readonly several: Readonly<{ row: number; sequences: number }> | undefined;
  /** Returns the number of tokens in all of a sample's sequences. */
  tokens(place: number): number;
  /** Returns the length of a sample's first sequence, encoder and decoder together. */
  size(place: number): number;
  /** Returns the row number of a sample. */
  row(place: number): number;
  /** Returns the place of a row's first sample. */
  firstOf(row: number): number;
  /** Returns the places of the samples with the largest `size`, the largest first. */
  largest(count: number): number[];
}

/** Sizes to which samples can be added, or just their sizes. */
export interface GrowingSizes extends SampleSizes {
  add(sample: Sample): void;
  put(sizes: Readonly<{ tokens: number; size: number; row: number }>): void;
  /** Returns everything as bytes, for a cache. */
  bytes(): Uint8Array;
}

/** Creates empty sizes, or reads them from `known` bytes. `labelled`: samples without usable labels are counted. */
export function createSampleSizes(labelled: boolean, known?: Uint8Array): GrowingSizes {
  const header = known ? headerOf(known) : { count: 0, total: 0, unlabelled: 0, weightless: 0 };
  const columnOf = (i: number): Column => createColumn(known && columnIn(known, header.count, i));
  const [tokens, sizes, rows] = [columnOf(2), columnOf(1), columnOf(0)];
  let { count, total, unlabelled, weightless } = header;
  let several: SampleSizes["several"] = header.several;
  const put: GrowingSizes["put"] = (sample) => {
    tokens.set(count, sample.tokens);
    sizes.set(count, sample.size);
    rows.set(count, sample.row);
    count++;
    total += sample.tokens;
  };
  return {
    get count() {
      return count;
    },
    get total() {
      return total;
    },
    get unlabelled() {
      return unlabelled;
    },
    get weightless() {
      return weightless;
    },
    get several() {
      return several;
    },
    put,
    bytes: () => {
      const head = jsonBytes({ count, total, unlabelled, weightless, several });
      return joinBytes([
        head,
        new TextEncoder().encode("\n"),
        ...[rows, sizes, tokens].map((column) => column.bytes(count)),
      ]);
    },
    tokens: tokens.at,
    size: sizes.at,
    row: rows.at,
    firstOf: (row) => {
      let [from, to] = [0, count];
      while (from < to) {
        const middle = (from + to) >>> 1;
        if (rows.at(middle) < row) from = middle + 1;
        else to = middle;
      }
      return from;
    },
    largest: (most) => largestOf(sizes.at, count, most),
    add: (sample) => {
      const { sequences, row } = sample;
      put({ tokens: tokensIn(sample), size: sizeOf(sample), row });
      if (sequences.length !== 1) several ??= { row, sequences: sequences.length };
      if (labelled && nothingCounts(sample)) unlabelled++;
      if (sample.weight === 0) weightless++;
    },
  };
}

/** Returns the length of a sample's first sequence, encoder and decoder together. */
export function sizeOf({ sequences: [first] }: Sample): number {
  return (first?.length ?? 0) + (first?.decoderLength ?? 0);
}

type Header =
  & Pick<SampleSizes, "count" | "total" | "unlabelled" | "weightless">
  & Partial<Pick<SampleSizes, "several">>;

function headerOf(bytes: Uint8Array): Header {
  return JSON.parse(new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(10))));
}

/** Returns column `i` of those after the header. */
function columnIn(bytes: Uint8Array, count: number, i: number): Uint32Array<ArrayBuffer> {
  const start = bytes.indexOf(10) + 1;
  return new Uint32Array(bytes.slice(start + 4 * i * count, start + 4 * (i + 1) * count).buffer as ArrayBuffer);
}

/** A growing array of 32-bit integers. */
type Column = Readonly<{
  at(place: number): number;
  set(place: number, value: number): void;
  bytes(count: number): Uint8Array;
}>;

function createColumn(known?: Uint32Array<ArrayBuffer>): Column {
  let values = known ?? new Uint32Array(1024);
  return {
    bytes: (count) => new Uint8Array(values.buffer, 0, 4 * count),
    at: (place) => values[place] ?? 0,
    set: (place, value) => {
      if (place >= values.length) {
        const longer = new Uint32Array(Math.max(1024, 2 * values.length));
        longer.set(values);
        values = longer;
      }
      values[place] = value;
    },
  };
}

/** Returns the places of the largest values, the largest first; among equal values, earlier places first. */
function largestOf(at: (place: number) => number, count: number, most: number): number[] {
  let sizes: number[] = [];
  const cut = (): void => {
    sizes = sizes.sort((a, b) => at(b) - at(a) || a - b).slice(0, most);
  };
  let least = -1;
  for (let place = 0; place < count; place++) {
    if (at(place) <= least) continue;
    sizes.push(place);
    if (sizes.length < 2 * most + SLACK) continue;
    cut();
    least = at(sizes.at(-1) ?? 0);
  }
  cut();
  return sizes;
}

/** Number of extra candidates that are collected before they are sorted and cut. */
const SLACK = 64;
