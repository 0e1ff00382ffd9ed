/** How large samples are and whose rows they are of: a few bytes for each. */
import { joinBytes, jsonBytes } from "../../base/bytes.ts";
import type { Sample } from "../../types.ts";
import { nothingCounts, tokensIn } from "./encoding.ts";

/** What is known of samples that were looked at, in order. */
export interface SampleSizes {
  readonly count: number;
  /** Tokens of all of them. */
  readonly total: number;
  /** Those that have labels of places, none of which counts. */
  readonly unlabelled: number;
  /** Those whose rows have a weight of 0. */
  readonly weightless: number;
  /** The first row that is several sequences; undefined if every sample is one. */
  readonly several: Readonly<{ row: number; sequences: number }> | undefined;
  /** Tokens of a sample's sequences. */
  tokens(place: number): number;
  /** The length of its first sequence, on both sides. */
  size(place: number): number;
  /** The row of a sample. */
  row(place: number): number;
  /** The place of a row's first sample. */
  firstOf(row: number): number;
  /** Places of the largest samples by their first sequence on both sides, the largest first. */
  largest(count: number): number[];
}

/** Sizes that grow: by a sample, or by what is known of one. */
export interface GrowingSizes extends SampleSizes {
  add(sample: Sample): void;
  put(sizes: Readonly<{ tokens: number; size: number; row: number }>): void;
  /** All of it, for a cache. */
  bytes(): Uint8Array;
}

/** Sizes of no samples yet, or those of `known` bytes. `labelled`: it is counted in how many nothing is to be learned. */
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

/** The length of a sample's first sequence, on both sides. */
export function sizeOf({ sequences: [first] }: Sample): number {
  return (first?.length ?? 0) + (first?.decoderLength ?? 0);
}

type Header =
  & Pick<SampleSizes, "count" | "total" | "unlabelled" | "weightless">
  & Partial<Pick<SampleSizes, "several">>;

function headerOf(bytes: Uint8Array): Header {
  return JSON.parse(new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(10))));
}

/** One of the columns that stand behind the header. */
function columnIn(bytes: Uint8Array, count: number, i: number): Uint32Array<ArrayBuffer> {
  const start = bytes.indexOf(10) + 1;
  return new Uint32Array(bytes.slice(start + 4 * i * count, start + 4 * (i + 1) * count).buffer as ArrayBuffer);
}

/** Whole numbers one after the other. */
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

/** Places of the largest values, the largest first; of equal ones the first. */
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

/** Places that are kept beyond those that are wanted, before they are sorted. */
const SLACK = 64;
