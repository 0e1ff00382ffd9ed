/** The rows of a data set that are examined. */
import type { Row, Rows } from "../../core/types.ts";

/** What `attune data` examines. `rows`: the number of rows from each split's beginning; absent: all. */
export type DataOptions = Readonly<{ rows?: number; near?: boolean; tokens?: boolean }>;

/** Puts a text on one line and shortens it to `most` characters. */
export function shortened(text: string, most: number): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most - 3)}...` : line;
}

type ReadRow = Readonly<{ row: Row; where?: string }>;

/** Returns the rows to examine; they can be iterated several times. */
export function limitedRows(rows: Rows, { rows: most = Infinity }: DataOptions): AsyncIterable<ReadRow> {
  return {
    [Symbol.asyncIterator]: async function* () {
      let at = 0;
      if (most <= 0) return;
      for await (const item of rows.read()) {
        yield item;
        if (++at >= most) return;
      }
    },
  };
}
