/**
 * Lines of a file by their number, whatever its size: one pass notes where every some thousand bytes begin, and how many
 * lines there are; what was noted is kept in the user's cache.
 * @module
 */
import { joinBytes } from "../bytes.ts";
import { type AttuneError, badFile, badValue, refusePointer } from "../errors.ts";
import { sha256 } from "../fingerprint.ts";
import { type LineIndex, readIndex, writeIndex } from "./line_index_file.ts";
import type { Store } from "../types.ts";

/** A file of lines: its name in messages, where it is, and what else it is known by, as its whole path. */
export type LinesPlace = Readonly<{ plugin: string; name: string; store: Store; key: string; identity: string }>;

/** A line that is not empty: its text without its end, and its number from 1. */
export type Line = Readonly<{ text: string; number: number }>;

/** Lines of a file that are not empty, by their number from 0. */
export interface IndexedLines {
  readonly count: number;
  /** SHA-256 over the SHA-256 of each 4 MiB. */
  readonly fingerprint: string;
  /** Some of the longest. */
  readonly longest: readonly number[];
  at(numbers: readonly number[]): Promise<readonly Line[]>;
  read(from: number): AsyncIterable<Line>;
}

/** Bytes that are scanned at once, and read at once where lines are read one after the other. */
const [PIECE, READ] = [4 * 2 ** 20, 2 ** 20];

/** A block of lines has at least so many bytes, and a file at most so many blocks. */
const [BLOCK, BLOCKS] = [8 * 2 ** 10, 2 ** 18];

/** Longer lines are refused: a file without line ends is not one of lines. */
const MAX_LINE = 64 * 2 ** 20;

/** How many of the longest lines are remembered, and how many blocks are read at the same time. */
const [LONGEST, TOGETHER] = [64, 16];

/**
 * Opens a file of lines. `check` looks at each that is not empty while they are indexed: its first and last byte that are not
 * blank. Throws AttuneError where there is none of that name, where it changes, and where a line is too long or not UTF-8.
 */
export async function openLines(
  place: LinesPlace,
  cache: Store | undefined,
  check: (first: number, last: number, number: number) => void = () => {},
): Promise<IndexedLines> {
  const { plugin, name, store, key, identity } = place;
  const file = await store.get(key, { offset: 0, length: 0 });
  if (!file) throw badFile(plugin, name, "does not exist");
  const { size, revision } = file;
  const parts = ["lines 1", identity, size, revision];
  const known = await readIndex(cache, parts);
  const index = known ?? await scan(place, size, revision, check);
  if (!known) await writeIndex(cache, parts, index);
  return linesOf(place, index, size, revision);
}

function linesOf(
  { plugin, name, store, key }: LinesPlace,
  index: LineIndex,
  size: number,
  revision: string,
): IndexedLines {
  const { count, firsts, offsets, numbers } = index;
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const blockOf = (line: number): number => {
    let [from, to] = [0, firsts.length - 1];
    while (from < to) {
      const middle = (from + to + 1) >>> 1;
      if ((firsts[middle] ?? 0) <= line) from = middle;
      else to = middle - 1;
    }
    return from;
  };
  /** The lines of some blocks, as bytes, with their numbers in the file. */
  const read = async (
    from: number,
    to: number,
  ): Promise<readonly Readonly<{ bytes: Uint8Array; number: number }>[]> => {
    const offset = offsets[from] ?? 0;
    const piece = await store.get(key, { offset, length: (offsets[to] ?? size) - offset });
    if (piece?.revision !== revision) throw changed(plugin, name);
    return nonEmpty(piece.bytes, numbers[from] ?? 1);
  };
  const decoded = ({ bytes, number }: Readonly<{ bytes: Uint8Array; number: number }>): Line => {
    try {
      const text = decoder.decode(bytes);
      return { text: number === 1 && text.startsWith("\uFEFF") ? text.slice(1) : text, number };
    } catch {
      throw badFile(plugin, `${name}, line ${number}`, "is not UTF-8");
    }
  };
  return {
    count,
    fingerprint: index.fingerprint,
    longest: index.longest,
    at: async (wanted) => {
      const byBlock = new Map<number, number[]>();
      wanted.forEach((line, place) => {
        if (!Number.isInteger(line) || line < 0 || line >= count) {
          throw badValue(plugin, "row", line, `a row from 0 to ${count - 1}`);
        }
        const block = blockOf(line);
        const own = byBlock.get(block);
        if (own) own.push(place);
        else byBlock.set(block, [place]);
      });
      const lines: Line[] = new Array(wanted.length);
      const blocks = [...byBlock];
      for (let start = 0; start < blocks.length; start += TOGETHER) {
        await Promise.all(
          blocks.slice(start, start + TOGETHER).map(async ([block, places]) => {
            const own = await read(block, block + 1);
            for (const place of places) {
              const line = own[(wanted[place] ?? 0) - (firsts[block] ?? 0)];
              if (!line) throw changed(plugin, name);
              lines[place] = decoded(line);
            }
          }),
        );
      }
      return lines;
    },
    read: async function* (from) {
      if (from >= count) return;
      let block = blockOf(from);
      let skipped = from - (firsts[block] ?? 0);
      while (block < firsts.length) {
        let end = block + 1;
        while (end < firsts.length && (offsets[end] ?? 0) - (offsets[block] ?? 0) < READ) end++;
        for (const line of await read(block, end)) if (skipped-- <= 0) yield decoded(line);
        block = end;
      }
    },
  };
}

function changed(plugin: string, name: string): AttuneError {
  return badFile(plugin, name, "changed while it was read");
}

/** One pass over a file. */
async function scan(
  { plugin, name, store, key }: LinesPlace,
  size: number,
  revision: string,
  check: (first: number, last: number, number: number) => void,
): Promise<LineIndex> {
  const blockBytes = Math.max(BLOCK, Math.ceil(size / BLOCKS));
  const [firsts, offsets, numbers]: [number[], number[], number[]] = [[], [], []];
  const longest = createLongest();
  const digests: Promise<string>[] = [];
  let [count, number, begun] = [0, 1, 0];
  let parts: Uint8Array[] = [];
  /** A line that begins at `begun`, of which these are the bytes. */
  const add = (bytes: Uint8Array, from: number, to: number): void => {
    let [first, last] = [from, to - 1];
    while (first < to && isBlank(bytes[first])) first++;
    while (last > first && isBlank(bytes[last])) last--;
    if (first < to) {
      check(bytes[first] ?? 0, bytes[last] ?? 0, number);
      if (offsets.length === 0 || begun - (offsets.at(-1) ?? 0) >= blockBytes) {
        firsts.push(count);
        offsets.push(begun);
        numbers.push(number);
      }
      longest.add(count++, to - from);
    }
    begun += to - from + 1;
    number++;
  };
  for (let offset = 0; offset < size; offset += PIECE) {
    const piece = await store.get(key, { offset, length: PIECE });
    if (piece?.revision !== revision) throw changed(plugin, name);
    const { bytes } = piece;
    if (offset === 0) refusePointer(plugin, name, bytes);
    // Hashed on another thread, while this one looks for ends of lines.
    digests.push(sha256(bytes));
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      if (parts.length === 0) add(bytes, start, end);
      else {
        const whole = joinBytes([...parts, bytes.subarray(start, end)]);
        parts = [];
        add(whole, 0, whole.length);
      }
      start = end + 1;
    }
    if (start < bytes.length) parts.push(bytes.subarray(start));
    if (offset + bytes.length - begun > MAX_LINE) {
      throw badFile(plugin, `${name}, line ${number}`, `is longer than ${MAX_LINE} bytes`);
    }
    // Not further ahead than one piece: each holds its bytes.
    await digests.at(-2);
  }
  if (parts.length > 0) {
    const whole = joinBytes(parts);
    add(whole, 0, whole.length);
  }
  return {
    count,
    fingerprint: await sha256((await Promise.all(digests)).join()),
    longest: longest.numbers(),
    firsts: Float64Array.from(firsts),
    offsets: Float64Array.from(offsets),
    numbers: Float64Array.from(numbers),
  };
}

/** Bytes of ASCII that a line may be empty with, and those of a byte order mark. */
function isBlank(byte: number | undefined): boolean {
  return byte === 32 || (byte !== undefined && byte >= 9 && byte <= 13) || byte === 0xef || byte === 0xbb ||
    byte === 0xbf;
}

/** The lines of some bytes that are not empty, the first of which has a number in its file. */
function nonEmpty(bytes: Uint8Array, number: number): Readonly<{ bytes: Uint8Array; number: number }>[] {
  const lines: { bytes: Uint8Array; number: number }[] = [];
  for (let start = 0; start < bytes.length; number++) {
    const next = bytes.indexOf(10, start);
    const end = next < 0 ? bytes.length : next;
    const line = bytes.subarray(start, end);
    if (!line.every(isBlank)) lines.push({ bytes: line, number });
    start = end + 1;
  }
  return lines;
}

/** Remembers the numbers of the longest lines. */
function createLongest(): Readonly<{ add(line: number, bytes: number): void; numbers(): number[] }> {
  let kept: Readonly<{ line: number; bytes: number }>[] = [];
  let least = -1;
  const cut = (): void => {
    kept = kept.sort((a, b) => b.bytes - a.bytes || a.line - b.line).slice(0, LONGEST);
  };
  return {
    add: (line, bytes) => {
      if (bytes <= least) return;
      kept.push({ line, bytes });
      if (kept.length < 2 * LONGEST) return;
      cut();
      least = kept.at(-1)?.bytes ?? -1;
    },
    numbers: () => {
      cut();
      return kept.map(({ line }) => line);
    },
  };
}
