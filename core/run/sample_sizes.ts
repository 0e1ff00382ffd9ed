/**
 * How large samples are and whose rows they are of: a few bytes for each.
 * @module
 */
import type { Sample } from "../types.ts";
import { nothingCounts, tokensIn } from "./encoding.ts";

/** What is known of samples that were looked at, in order. */
export interface SampleSizes {
  readonly count: number;
  /** Tokens of all of them. */
  readonly total: number;
  /** Those that have labels of places, none of which counts. */
  readonly unlabelled: number;
  /** The first row that is several sequences; undefined where every sample is one. */
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
}

/** Sizes of no samples yet. `labelled`: it is counted in how many nothing is to be learned. */
export function createSampleSizes(labelled: boolean): GrowingSizes {
  const [tokens, sizes, rows] = [createColumn(), createColumn(), createColumn()];
  let [count, total, unlabelled] = [0, 0, 0];
  let several: SampleSizes["several"];
  const put: GrowingSizes["put"] = (own) => {
    tokens.set(count, own.tokens);
    sizes.set(count, own.size);
    rows.set(count, own.row);
    count++;
    total += own.tokens;
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
    get several() {
      return several;
    },
    put,
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
    largest: (wanted) => largestOf(sizes.at, count, wanted),
    add: (sample) => {
      const { sequences, row } = sample;
      put({ tokens: tokensIn(sample), size: sizeOf(sample), row });
      if (sequences.length !== 1) several ??= { row, sequences: sequences.length };
      if (labelled && nothingCounts(sample)) unlabelled++;
    },
  };
}

/** The length of a sample's first sequence, on both sides. */
export function sizeOf({ sequences: [first] }: Sample): number {
  return (first?.length ?? 0) + (first?.decoderLength ?? 0);
}

/** Whole numbers one after the other. */
function createColumn(): Readonly<{ at(place: number): number; set(place: number, value: number): void }> {
  let values = new Uint32Array(1024);
  return {
    at: (place) => values[place] ?? 0,
    set: (place, value) => {
      if (place >= values.length) {
        const longer = new Uint32Array(2 * values.length);
        longer.set(values);
        values = longer;
      }
      values[place] = value;
    },
  };
}

/** Places of the largest values, the largest first; of equal ones the first. */
function largestOf(at: (place: number) => number, count: number, wanted: number): number[] {
  let kept: number[] = [];
  const cut = (): void => {
    kept = kept.sort((a, b) => at(b) - at(a) || a - b).slice(0, wanted);
  };
  let least = -1;
  for (let place = 0; place < count; place++) {
    if (at(place) <= least) continue;
    kept.push(place);
    if (kept.length < 2 * wanted + SLACK) continue;
    cut();
    least = at(kept.at(-1) ?? 0);
  }
  cut();
  return kept;
}

/** Places that are kept beyond those that are wanted, before they are sorted. */
const SLACK = 64;
