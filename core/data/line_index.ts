/** Access to the lines of a file of any size by number. */
import { joinBytes } from "../base/bytes.ts";
import { badFile } from "../base/errors.ts";
import { type IndexedRecords, openRecords, type RecordForm, type RecordsPlace } from "./record_index.ts";
import type { Store } from "../types.ts";

/** A line that is not blank: its text without the line end, and its number in the file, from 1. */
export type Line = Readonly<{ text: string; number: number }>;

/** The lines of a file that are not blank, by index from 0. */
export type IndexedLines = IndexedRecords<Line>;

/** The longest line in bytes; a file without line ends is not a text file of lines. */
const MAX_LINE = 64 * 2 ** 20;

/** Checks a line, given its first and last bytes that are not blank, and its number. */
type CheckLine = (first: number, last: number, number: number) => void;

/**
 * Opens a file of lines. `check` is called for each line that is not blank while they are indexed. Throws AttuneError
 * if there is no such file, if it changes, or if a line is too long or not UTF-8.
 */
export async function openLines(
  place: RecordsPlace,
  cache: Store | undefined,
  check: CheckLine = () => {},
): Promise<IndexedLines> {
  return await openRecords(place, cache, linesForm(place, check));
}

type LineBytes = Readonly<{ bytes: Uint8Array; number: number }>;

function linesForm({ plugin, name }: RecordsPlace, check: CheckLine): RecordForm<LineBytes, Line> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  return {
    id: "lines 1",
    scan: (note) => {
      let [number, begun] = [1, 0];
      let parts: Uint8Array[] = [];
      /** Notes the line that begins at offset `begun` and has these bytes. */
      const add = (bytes: Uint8Array, from: number, to: number): void => {
        let [first, last] = [from, to - 1];
        while (first < to && isBlank(bytes[first])) first++;
        while (last > first && isBlank(bytes[last])) last--;
        if (first < to) {
          check(bytes[first] ?? 0, bytes[last] ?? 0, number);
          note(begun, to - from, number);
        }
        begun += to - from + 1;
        number++;
      };
      const addWhole = (piece: Uint8Array): void => add(piece, 0, piece.length);
      return {
        push: (bytes, offset) => {
          let start = 0;
          for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
            if (parts.length === 0) add(bytes, start, end);
            else {
              const joined = joinBytes([...parts, bytes.subarray(start, end)]);
              parts = [];
              addWhole(joined);
            }
            start = end + 1;
          }
          if (start < bytes.length) parts.push(bytes.subarray(start));
          if (offset + bytes.length - begun > MAX_LINE) {
            throw badFile(plugin, `${name}, line ${number}`, `is longer than ${MAX_LINE} bytes`);
          }
        },
        end: (size) => {
          if (parts.length > 0) addWhole(joinBytes(parts));
          return size;
        },
      };
    },
    split: nonEmpty,
    read: ({ bytes, number }) => {
      try {
        const text = decoder.decode(bytes);
        return { text: number === 1 && text.startsWith("\uFEFF") ? text.slice(1) : text, number };
      } catch {
        throw badFile(plugin, `${name}, line ${number}`, "is not UTF-8");
      }
    },
  };
}

/** Whether a byte is ASCII white space or part of a byte order mark. */
function isBlank(byte: number | undefined): boolean {
  return byte === 32 || (byte !== undefined && byte >= 9 && byte <= 13) || byte === 0xef || byte === 0xbb ||
    byte === 0xbf;
}

/** Splits bytes into lines that are not blank; `number`: the first line's number in its file. */
function nonEmpty(bytes: Uint8Array, number: number): LineBytes[] {
  const lines: LineBytes[] = [];
  for (let start = 0; start < bytes.length; number++) {
    const next = bytes.indexOf(10, start);
    const end = next < 0 ? bytes.length : next;
    const line = bytes.subarray(start, end);
    if (!line.every(isBlank)) lines.push({ bytes: line, number });
    start = end + 1;
  }
  return lines;
}
