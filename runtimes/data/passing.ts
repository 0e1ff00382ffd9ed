/** The rows of a data set that are looked at. */
import type { Row, Rows } from "../../core/types.ts";

/** What `attune data` looks at. `rows`: the first so many of each split; absent: all. */
export type DataOptions = Readonly<{ rows?: number; near?: boolean; tokens?: boolean }>;

/** A text on one line, cut. */
export function shortened(text: string, most: number): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most - 3)}...` : line;
}

type ReadRow = Readonly<{ row: Row; where?: string }>;

/** The rows that are looked at, as often as they are gone through. */
export function passing(rows: Rows, { rows: most = Infinity }: DataOptions): AsyncIterable<ReadRow> {
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
