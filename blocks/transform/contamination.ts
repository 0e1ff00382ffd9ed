/** Contamination: rows that have runs of words in common with rows of another set (Brown et al. 2020, C). */
import { type HashPart, inParts, isInPart } from "../../core/data/hash_parts.ts";
import { createHashTable } from "../../core/data/hash_table.ts";
import type { Hash } from "../../core/data/text_hash.ts";
import { growing } from "./band_keys.ts";
import { shinglesOf, wordsOf } from "./words.ts";

/** Runs of words in more than this share of rows, and in at least this many rows, are headers and templates. */
const [COMMON, LEAST_COMMON] = [0.1, 10];

/** The largest number of runs in memory: a table of that many takes 150 MiB. */
const MOST_RUNS = 6 * 2 ** 20;

/** A text that rows must not contain, and the number that identifies it. */
export type ForbiddenText = Readonly<{ text: string; of: number }>;

/** For each row, 1 + the number of the text that it shares words with; 0: none. */
export type Contaminated = Uint32Array;

/**
 * Finds the rows that share a run of `n` words with a forbidden text, and for each the first text with the row's first
 * such run. A row with fewer words is one run, which only an equal row has. Runs in very many rows are ignored. Rows
 * and forbidden texts are read once for each part of the forbidden runs that fits into memory.
 */
export async function contaminatedRows(
  rows: AsyncIterable<string>,
  forbidden: AsyncIterable<ForbiddenText>,
  n: number,
  mostRuns: number = MOST_RUNS,
): Promise<Contaminated> {
  // The first run in a row counts, whichever part it belongs to.
  let [found, places] = [new Uint32Array(), new Uint32Array()];
  await inParts(async (part) => {
    const runs = await runsOf(forbidden, n, part, mostRuns);
    if (!runs) return false;
    const count = await countRuns(rows, runs);
    if (found.length < count) [found, places] = [new Uint32Array(count), new Uint32Array(count).fill(NOWHERE)];
    const most = Math.max(LEAST_COMMON, COMMON * count);
    let row = 0;
    for await (const text of runs.of.length > 0 ? rows : []) {
      const [place, id] = runs.first(text, most) ?? [NOWHERE, 0];
      if (place < (places[row] ?? 0)) [places[row], found[row]] = [place, 1 + (runs.of[id] ?? 0)];
      row++;
    }
    return true;
  });
  return found;
}

/** The position of no run. */
const NOWHERE = 0xffffffff;

/** Forbidden runs of a part: the text that each belongs to, and in how many rows it occurs. */
type Runs = Readonly<{
  of: Uint32Array;
  /** Counts the runs of a row, before any matching. */
  count(text: string): void;
  /** Returns the first run of a row that occurs in at most `most` rows: its position in the row, and its number. */
  first(text: string, most: number): readonly [place: number, id: number] | undefined;
}>;

/** Returns the runs of a part; undefined if there are too many. */
async function runsOf(
  forbidden: AsyncIterable<ForbiddenText>,
  n: number,
  part: HashPart,
  mostRuns: number,
): Promise<Runs | undefined> {
  const table = createHashTable();
  const owners = growing();
  /** Splits a text into runs, and tells whether it is shorter than one, and so cannot be a template. */
  const split = (text: string): Readonly<{ runs: readonly Hash[]; isShort: boolean }> => {
    const words = wordsOf(text).length;
    return { runs: words === 0 && text.trim() === "" ? [] : shinglesOf(text, n), isShort: words < n };
  };
  for await (const { text, of } of forbidden) {
    for (const run of split(text).runs) {
      if (!isInPart(part, run) || table.get(run) !== undefined) continue;
      if (table.size === mostRuns && !part.isLast) return undefined;
      table.set(run, table.size);
      owners.push(of);
    }
  }
  const seen = new Uint32Array(table.size);
  const idOf = (run: Hash): number | undefined => (isInPart(part, run) ? table.get(run) : undefined);
  return {
    of: owners.all(),
    count: (text) => {
      for (const id of new Set(split(text).runs.map(idOf))) if (id !== undefined) seen[id] = (seen[id] ?? 0) + 1;
    },
    first: (text, most) => {
      const { runs, isShort } = split(text);
      for (const [place, run] of runs.entries()) {
        const id = idOf(run);
        if (id !== undefined && (isShort || (seen[id] ?? 0) <= most)) return [place, id];
      }
      return undefined;
    },
  };
}

/** Counts the runs of all rows; returns the number of rows. */
async function countRuns(rows: AsyncIterable<string>, runs: Runs): Promise<number> {
  let count = 0;
  for await (const text of rows) {
    runs.count(text);
    count++;
  }
  return count;
}
