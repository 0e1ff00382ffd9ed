/** Counts of what a transform does to rows. */
import type { RowAction, RowNote, TransformReport, TransformRow } from "../types.ts";

/** The most rows that a report lists; further ones are only counted. */
const NAMED_ROWS = 10_000;

/** A running count of the rows that a transform drops, changes and adds. */
export interface Tally {
  /** Starts again from zero, because the rows are read once more. */
  reset(): void;
  in(): void;
  out(): void;
  note(row: TransformRow, action: RowAction, reason: string): void;
  report(): TransformReport;
}

/** Creates an empty tally of a transform. */
export function createTally(use: string): Tally {
  let [rowsIn, rowsOut] = [0, 0];
  let reasons = emptyReasons();
  let rows: RowNote[] = [];
  return {
    reset: () => {
      [rowsIn, rowsOut, reasons, rows] = [0, 0, emptyReasons(), []];
    },
    in: () => void rowsIn++,
    out: () => void rowsOut++,
    note: ({ index }, action, reason) => {
      const counts = reasons[action];
      counts.set(reason, (counts.get(reason) ?? 0) + 1);
      if (rows.length < NAMED_ROWS) rows.push({ row: index, action, reason });
    },
    report: () => ({
      use,
      in: rowsIn,
      out: rowsOut,
      dropped: Object.fromEntries(reasons.dropped),
      changed: Object.fromEntries(reasons.changed),
      added: Object.fromEntries(reasons.added),
      rows,
    }),
  };
}

type Reasons = Readonly<Record<RowAction, Map<string, number>>>;

const emptyReasons = (): Reasons => ({ dropped: new Map(), changed: new Map(), added: new Map() });
