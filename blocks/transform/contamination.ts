/**
 * Which rows say what rows of another set say: runs of words that both have (Brown et al. 2020, C).
 * @module
 */
import { createHashTable } from "../../core/data/hash_table.ts";
import type { Hash } from "../../core/data/text_hash.ts";
import { shinglesOf, wordsOf } from "./words.ts";

/** Runs of words that stand in more than this share of rows are headers and templates, and in at least so many. */
const [COMMON, LEAST_COMMON] = [0.1, 10];

/** The runs of words of rows that must not be met again. */
export type Contamination = Readonly<{
  /** Takes a row that must not be met, with its number. */
  forbid(text: string, row: number): void;
  /** Looks at a row before the matches: runs that many rows have say nothing. */
  count(text: string): void;
  /** The number of the first forbidden row that a text shares a run with; undefined where it shares none. */
  match(text: string): number | undefined;
}>;

/** An empty set of runs of `n` words; a row of fewer is one run, which only the same row has. */
export function createContamination(n: number): Contamination {
  const table = createHashTable();
  const forbidden: number[] = [];
  const seen: number[] = [];
  let rows = 0;
  /** Runs of a text; a row that is shorter cannot be a template. */
  const runsOf = (text: string): Readonly<{ runs: readonly Hash[]; isShort: boolean }> => {
    const words = wordsOf(text).length;
    return { runs: words === 0 && text.trim() === "" ? [] : shinglesOf(text, n), isShort: words < n };
  };
  return {
    forbid: (text, row) => {
      for (const run of runsOf(text).runs) {
        if (table.get(run) !== undefined) continue;
        table.set(run, forbidden.push(row) - 1);
        seen.push(0);
      }
    },
    count: (text) => {
      rows++;
      const owners = new Set(runsOf(text).runs.map((run) => table.get(run)));
      for (const id of owners) if (id !== undefined) seen[id] = (seen[id] ?? 0) + 1;
    },
    match: (text) => {
      const { runs, isShort } = runsOf(text);
      const most = Math.max(LEAST_COMMON, COMMON * rows);
      for (const run of runs) {
        const id = table.get(run);
        if (id !== undefined && (isShort || (seen[id] ?? 0) <= most)) return forbidden[id];
      }
      return undefined;
    },
  };
}
