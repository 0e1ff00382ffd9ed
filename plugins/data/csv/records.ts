/**
 * Where records of CSV begin and end, in bytes that come in pieces: nothing but line ends, quotes and delimiters is looked at.
 */
import type { Cutter } from "../../../blocks/data/mod.ts";
import { badFile } from "../../../core/base/errors.ts";

/** Bytes that mean something. */
const [LF, CR, QUOTE] = [10, 13, 34];

/** Blanks, which may stand behind a quote. */
const BLANKS: readonly number[] = [9, 11, 12, 32];

/** Larger records are refused: a quote that stays open would make one of a whole file. */
const MAX_RECORD = 64 * 2 ** 20;

/** A record that is not empty: where it begins and ends among the bytes, the line of its first one, and its values. */
export type CsvRecord = Readonly<{ begin: number; end: number; line: number; values: number }>;

/** What divides values, in the bytes at hand, and whether values may stand in quotes. */
export type CsvSigns = Readonly<{ delimiter: Uint8Array; quoting: boolean }>;

/** Bytes that are looked at: where they stand, and by which number their first line is known. */
export type CsvBytes = Readonly<{ whereIs: (line: number) => string; line?: number; isStart?: boolean }>;

/**
 * Begins to look for records; `found` is told each that is not empty.
 *
 * @throws AttuneError from `push` and `end` where a quote stays open, something stands behind one, or a record is too long.
 */
export function cutCsv(
  { delimiter, quoting }: CsvSigns,
  { whereIs, line: firstLine = 1, isStart = true }: CsvBytes,
  found: (record: CsvRecord) => void,
): Cutter {
  const means = meaningful(delimiter, quoting);
  const fallbacks = fallbacksOf(delimiter);
  // Where the piece stands, where the record and the value began, and the lines of both.
  let [at, begin, value, line, first, values] = [0, 0, 0, firstLine, firstLine, 1];
  let state: "plain" | "quoted" | "closed" = "plain";
  // Where the last quote closed, and where the last CR stood.
  let [closedAt, crAt] = [-2, -2];
  /** How many bytes of the delimiter were just read. */
  let matched = 0;
  /** Quotes of the record before the piece at hand, where it had nothing but blanks besides; -1 where it had. */
  let begunQuotes = 0;
  const next = (from: number): void => {
    [begin, value, first, values, state, matched] = [from, from, line, 1, "plain", 0];
    begunQuotes = 0;
  };
  /** Quotes of the record up to a place in the piece, where it has nothing but blanks besides; -1 where it has. */
  const quotesTo = (bytes: Uint8Array, to: number): number => {
    let quotes = values > 1 ? -1 : begunQuotes;
    for (let i = Math.max(0, begin - at); i < to - at && quotes >= 0; i++) {
      if (quoting && bytes[i] === QUOTE && (quotes > 0 || at + i === begin)) quotes++;
      else if (!BLANKS.includes(bytes[i] ?? 0)) quotes = -1;
    }
    return quotes;
  };
  /** Sees to it that nothing but blanks stands between a closed quote and a place. */
  const checkBehindQuote = (bytes: Uint8Array, to: number): void => {
    for (let i = Math.max(0, closedAt + 1 - at); i < to - at; i++) {
      if (BLANKS.includes(bytes[i] ?? 0)) continue;
      throw badFile("csv", whereIs(first), "Trailing quote on quoted field is malformed");
    }
  };
  const close = (end: number, quotes: number): void => {
    // A line of blanks, which may stand in quotes, is none.
    if (values > 1 || (quotes !== 0 && quotes !== 2)) found({ begin, end, line: first, values });
  };
  /** Whether a byte completes the delimiter. */
  const divides = (byte: number): boolean => {
    while (matched > 0 && byte !== delimiter[matched]) matched = fallbacks[matched - 1] ?? 0;
    if (byte === delimiter[matched]) matched++;
    if (matched < delimiter.length) return false;
    matched = 0;
    return true;
  };
  const inQuotes = (byte: number, here: number): void => {
    if (byte === QUOTE) {
      state = "closed";
      closedAt = here;
    } else if (byte === CR || (byte === LF && crAt !== here - 1)) line++;
    if (byte === CR) crAt = here;
  };
  const step = (byte: number, here: number, bytes: Uint8Array): void => {
    if (state === "quoted") return inQuotes(byte, here);
    if (byte === LF && crAt === here - 1 && here === begin) return next(here + 1);
    if (byte === LF || byte === CR) {
      if (state === "closed") checkBehindQuote(bytes, here);
      if (byte === CR) crAt = here;
      close(here, quotesTo(bytes, here));
      line++;
      return next(here + 1);
    }
    if (byte === QUOTE && quoting && state === "closed" && closedAt === here - 1) {
      // A quote within a value is written twice; the next one ends it.
      state = "quoted";
    } else if (byte === QUOTE && quoting && here === value) state = "quoted";
    else if (divides(byte)) {
      if (state === "closed") checkBehindQuote(bytes, here + 1 - delimiter.length);
      [value, state] = [here + 1, "plain"];
      values++;
    }
  };
  return {
    begun: () => begin,
    end: () => {
      // Behind a quote, blanks are before what divides alone.
      if (state === "quoted" || (state === "closed" && closedAt !== at - 1)) {
        throw badFile("csv", whereIs(first), "Quoted field unterminated");
      }
      if (at > begin) close(at, begunQuotes);
      return at;
    },
    push: (bytes) => {
      const mark = isStart && at === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
      if (mark > 0) [begin, value] = [mark, mark];
      const base = at;
      for (let i = mark; i < bytes.length; i++) {
        const byte = bytes[i] as number;
        if (means[byte] === 1 || matched > 0) step(byte, base + i, bytes);
      }
      if (state === "closed") checkBehindQuote(bytes, base + bytes.length - matched);
      begunQuotes = quotesTo(bytes, base + bytes.length);
      at += bytes.length;
      if (at - begin > MAX_RECORD) {
        throw badFile("csv", whereIs(first), `is longer than ${MAX_RECORD} bytes: is a closing quote missing?`);
      }
    },
  };
}

/** Bytes that are more than a part of a value. */
function meaningful(delimiter: Uint8Array, quoting: boolean): Uint8Array {
  const means = new Uint8Array(256);
  for (const byte of [LF, CR, delimiter[0] ?? 0, ...quoting ? [QUOTE] : []]) means[byte] = 1;
  return means;
}

/** Where a search for the delimiter goes on when a byte does not fit (Knuth, Morris, Pratt). */
function fallbacksOf(delimiter: Uint8Array): readonly number[] {
  const fallbacks = [0];
  for (let i = 1, k = 0; i < delimiter.length; i++) {
    while (k > 0 && delimiter[i] !== delimiter[k]) k = fallbacks[k - 1] ?? 0;
    if (delimiter[i] === delimiter[k]) k++;
    fallbacks.push(k);
  }
  return fallbacks;
}
