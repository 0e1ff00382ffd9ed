/**
 * Whether answers that were written are of the rows that are evaluated: a hash of each row's label is kept, not the label.
 * @module
 */
import { hashOf } from "../data/text_hash.ts";
import type { Example, Json } from "../types.ts";

/** The rows of an evaluation, in its order. */
export type SeenRows = Readonly<{
  add(example: Pick<Example, "row" | "reference">): void;
  /** How the answer in a place differs from the row evaluated there, in words; undefined where it does not. */
  differs(place: number, row: number, label: Json): string | undefined;
}>;

/** No rows yet. */
export function createSeenRows(): SeenRows {
  const [rows, hashes]: [number[], number[]] = [[], []];
  const hash = (label: Json): number => hashOf(JSON.stringify(label))[0];
  return {
    add: ({ row, reference = null }) => {
      rows.push(row);
      hashes.push(hash(reference));
    },
    differs: (place, row, label) => {
      if (place >= rows.length) return `row ${row} is not among the ${rows.length} that are evaluated`;
      if (rows[place] !== row) return `it has row ${row} where row ${rows[place]} is evaluated`;
      return hashes[place] === hash(label)
        ? undefined
        : `row ${row} has the label ${shown(label)} there, another one here`;
    },
  };
}

function shown(label: Json): string {
  const text = JSON.stringify(label);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
