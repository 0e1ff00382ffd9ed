/** Slices of datasets in the notation of Hugging Face's `datasets`: `train[:10%]`, `train[100:200]+test`. */
import { badValue, unknownName } from "../../core/base/errors.ts";
import type { Rows } from "../../core/types.ts";

/** One slice of a split. `unit`: the unit of `from` and `to`; null: from the first row, or to the last. */
export type Slice = Readonly<{
  split: string;
  from: number | null;
  to: number | null;
  unit: "%" | "rows";
  rounding: "closest" | "pct1_dropremainder";
}>;

const SLICE = /^(\w+(?:[.-]\w+)*)(?:\[(?:(-?[\d_]+)(%)?)?:(?:(-?[\d_]+)(%)?)?\])?(?:\(([^)]*)\))?$/;
const ALLOWED = 'a split as "train", "train[:10%]", "train[100:200]" or several of them joined with "+"';

/** Parses the slices in a text. Throws AttuneError if it is not in the notation of `datasets`. */
export function slicesIn(plugin: string, text: string): readonly [Slice, ...Slice[]] {
  const [first = "", ...rest] = text.trim().split(/\s*\+\s*/);
  const slices: [Slice, ...Slice[]] = [
    sliceIn(plugin, first, text),
    ...rest.map((part) => sliceIn(plugin, part, text)),
  ];
  const roundings = new Set(slices.filter(({ unit }) => unit === "%").map(({ rounding }) => rounding));
  if (roundings.size > 1) throw badValue(plugin, "split", text, "the same rounding for all parts");
  return slices;
}

function sliceIn(plugin: string, part: string, text: string): Slice {
  const [, split, from, fromShare, to, toShare, rounding] = SLICE.exec(part) ?? [];
  if (split === undefined) throw badValue(plugin, "split", text, ALLOWED);
  const unit = fromShare || toShare ? "%" : "rows";
  if (rounding !== undefined && rounding !== "closest" && rounding !== "pct1_dropremainder") {
    throw badValue(plugin, "split", text, 'the rounding "closest" or "pct1_dropremainder"');
  }
  if (rounding !== undefined && unit === "rows") {
    throw badValue(plugin, "split", text, "rounding only with percentages");
  }
  const [first, last] = [numberIn(plugin, from, text), numberIn(plugin, to, text)];
  for (const share of unit === "%" ? [first, last] : []) {
    if (Math.abs(share ?? 0) > 100) throw badValue(plugin, "split", text, "percentages from -100% to 100%");
  }
  return { split, from: first, to: last, unit, rounding: rounding ?? "closest" };
}

/** Parses an integer in Python's notation, with single underscores between digits. */
function numberIn(plugin: string, digits: string | undefined, text: string): number | null {
  if (digits === undefined) return null;
  const value = /^-?\d+(_\d+)*$/.test(digits) ? Number(digits.replaceAll("_", "")) : NaN;
  if (!Number.isSafeInteger(value)) throw badValue(plugin, "split", text, "whole numbers");
  return value;
}

/**
 * Returns the range of rows of a slice: the first row, and the one after the last. Throws AttuneError if it ends before
 * it begins.
 */
export function rangeOf(plugin: string, { split, from, to, unit, rounding }: Slice, length: number): [number, number] {
  if (unit === "%" && rounding === "pct1_dropremainder" && length < 100) {
    throw badValue(plugin, "split", `${split} of ${length} rows`, "at least 100 rows for (pct1_dropremainder)");
  }
  const rows = (value: number): number =>
    unit === "rows"
      ? value
      : rounding === "closest"
      ? halfToEven(value * length / 100)
      : value * Math.trunc(length / 100);
  const placed = (value: number): number => Math.min(length, value < 0 ? Math.max(0, length + value) : value);
  const [first, last] = [placed(from === null ? 0 : rows(from)), placed(to === null ? length : rows(to))];
  if (first > last) {
    throw badValue(plugin, "split", `${split} from row ${first} to row ${last}`, "a part that ends after its start");
  }
  return [first, last];
}

/** Python's `round`: halves go to the even neighbour. */
export function halfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

/** Throws if there is no such split. */
export function checkSplit(plugin: string, split: string, known: readonly string[]): void {
  if (!known.includes(split)) throw unknownName(plugin, "split", "split", split, known);
}

/** The splits of a source, and a function that opens one; each is opened once, however many slices refer to it. */
export type Splits = Readonly<{ names: readonly string[]; open: (split: string) => Promise<Rows> }>;
