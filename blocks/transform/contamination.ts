/** Which rows say what rows of another set say: runs of words that both have (Brown et al. 2020, C). */
import { type HashPart, inParts, isInPart } from "../../core/data/hash_parts.ts";
import { createHashTable } from "../../core/data/hash_table.ts";
import type { Hash } from "../../core/data/text_hash.ts";
import { growing } from "./band_keys.ts";
import { shinglesOf, wordsOf } from "./words.ts";

/** Runs of words that stand in more than this share of rows are headers and templates, and in at least so many. */
const [COMMON, LEAST_COMMON] = [0.1, 10];

/** Runs of words that are in memory at one time: a table that is filled this far takes 150 MiB. */
const MOST_RUNS = 6 * 2 ** 20;

/** A text that must not be met, and the number that it is told by. */
export type ForbiddenText = Readonly<{ text: string; of: number }>;

/** For each row, one more than the number of what it shares words with; 0: nothing. */
export type Contaminated = Uint32Array;

/**
 * The rows that share a run of `n` words with a forbidden text, and the first that has the first of these runs. A row of fewer
 * words is one run, which only the same row has. Runs that very many rows have say nothing. Both rows and forbidden texts are
 * gone through as often as there are parts of the forbidden runs that fit into memory.
 */
export async function contaminatedRows(
  rows: AsyncIterable<string>,
  forbidden: AsyncIterable<ForbiddenText>,
  n: number,
  mostRuns: number = MOST_RUNS,
): Promise<Contaminated> {
  // The first run of a row counts, whichever part it is in.
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

/** The place of no run. */
const NOWHERE = 0xffffffff;

/** Forbidden runs of a part: whose each is, and in how many rows it was seen. */
type Runs = Readonly<{
  of: Uint32Array;
  /** Looks at a row before the matches. */
  count(text: string): void;
  /** The first run of a row that not more than `most` rows have: its place in the row, and its number. */
  first(text: string, most: number): readonly [place: number, id: number] | undefined;
}>;

/** The runs of a part; undefined if they are too many. */
async function runsOf(
  forbidden: AsyncIterable<ForbiddenText>,
  n: number,
  part: HashPart,
  mostRuns: number,
): Promise<Runs | undefined> {
  const table = createHashTable();
  const owners = growing();
  /** Runs of a text, and whether it is shorter than one: it cannot be a template then. */
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

/** Looks at all rows; how many they are. */
async function countRuns(rows: AsyncIterable<string>, runs: Runs): Promise<number> {
  let count = 0;
  for await (const text of rows) {
    runs.count(text);
    count++;
  }
  return count;
}
