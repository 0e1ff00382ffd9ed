/** Finds the begin and end of CSV records in pieces of bytes; only line ends, quotes and delimiters matter for this. */
import type { Cutter } from "../../../blocks/data/mod.ts";
import { badFile } from "../../../core/base/errors.ts";

/** Bytes with a meaning. */
const [LF, CR, QUOTE] = [10, 13, 34];

/** White space, which may follow a quote. */
const BLANKS: readonly number[] = [9, 11, 12, 32];

/** Larger records are refused: an unclosed quote would make one record of a whole file. */
const MAX_RECORD = 64 * 2 ** 20;

/** A record that is not empty: its begin and end offsets, the number of its first line, and its number of values. */
export type CsvRecord = Readonly<{ begin: number; end: number; line: number; values: number }>;

/** The delimiter, encoded, and whether values may be quoted. */
export type CsvSigns = Readonly<{ delimiter: Uint8Array; quoting: boolean }>;

/** The bytes to search: how lines are named in messages, and the number of the first line. */
export type CsvBytes = Readonly<{ whereIs: (line: number) => string; line?: number; isStart?: boolean }>;

/**
 * Returns a cutter of records; `found` is called with each that is not empty.
 *
 * @throws AttuneError from `push` and `end` if a quote stays open, text follows a closing one, or a record is too long.
 */
export function cutCsv(
  { delimiter, quoting }: CsvSigns,
  { whereIs, line: firstLine = 1, isStart = true }: CsvBytes,
  found: (record: CsvRecord) => void,
): Cutter {
  const means = meaningful(delimiter, quoting);
  const fallbacks = fallbacksOf(delimiter);
  // Offsets of the piece, the record and the value, and the lines of the latter two.
  let [at, begin, value, line, first, values] = [0, 0, 0, firstLine, firstLine, 1];
  let state: "plain" | "quoted" | "closed" = "plain";
  // Offsets of the last closing quote, and of the last CR.
  let [closedAt, crAt] = [-2, -2];
  /** Number of delimiter bytes matched so far. */
  let matched = 0;
  /** Number of quotes in the record before this piece if it is otherwise blank, else -1. */
  let begunQuotes = 0;
  const next = (from: number): void => {
    [begin, value, first, values, state, matched] = [from, from, line, 1, "plain", 0];
    begunQuotes = 0;
  };
  /** Returns the number of quotes in the record up to an offset if it is otherwise blank, else -1. */
  const quotesTo = (bytes: Uint8Array, to: number): number => {
    let quotes = values > 1 ? -1 : begunQuotes;
    for (let i = Math.max(0, begin - at); i < to - at && quotes >= 0; i++) {
      if (quoting && bytes[i] === QUOTE && (quotes > 0 || at + i === begin)) quotes++;
      else if (!BLANKS.includes(bytes[i] ?? 0)) quotes = -1;
    }
    return quotes;
  };
  /** Throws unless only white space is between a closing quote and an offset. */
  const checkBehindQuote = (bytes: Uint8Array, to: number): void => {
    for (let i = Math.max(0, closedAt + 1 - at); i < to - at; i++) {
      if (BLANKS.includes(bytes[i] ?? 0)) continue;
      throw badFile("csv", whereIs(first), "Trailing quote on quoted field is malformed");
    }
  };
  const close = (end: number, quotes: number): void => {
    // A blank line, perhaps quoted, is not a record.
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
      // A doubled quote belongs to the value; the next single one ends it.
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
      // After a closing quote, white space may only be before a delimiter or line end.
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

/** Returns which bytes are more than a part of a value. */
function meaningful(delimiter: Uint8Array, quoting: boolean): Uint8Array {
  const means = new Uint8Array(256);
  for (const byte of [LF, CR, delimiter[0] ?? 0, ...quoting ? [QUOTE] : []]) means[byte] = 1;
  return means;
}

/** Returns where to continue the search for the delimiter after a mismatch (Knuth, Morris, Pratt). */
function fallbacksOf(delimiter: Uint8Array): readonly number[] {
  const fallbacks = [0];
  for (let i = 1, k = 0; i < delimiter.length; i++) {
    while (k > 0 && delimiter[i] !== delimiter[k]) k = fallbacks[k - 1] ?? 0;
    if (delimiter[i] === delimiter[k]) k++;
    fallbacks.push(k);
  }
  return fallbacks;
}
