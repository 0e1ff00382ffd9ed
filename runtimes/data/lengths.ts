/** Lengths of samples in tokens, and how much of them is cut. */
import { contextOf, tokensIn } from "../../core/run/rows/encoding.ts";
import type { OpenRun } from "../../core/run/open/open.ts";
import type { Row } from "../../core/types.ts";

/** Lengths of rows in tokens, before anything is cut. */
export type LengthReport = Readonly<{
  least: number;
  mean: number;
  median: number;
  /** The lengths that 90, 95 and 99 percent of rows do not exceed. */
  p90: number;
  p95: number;
  p99: number;
  most: number;
  total: number;
  /** The length at which rows are cut, how many rows are, and how many tokens that costs. */
  maxLength: number | null;
  cutRows: number;
  cutTokens: number;
  /** Rows by length: each entry is the number of rows with up to `upTo` tokens. */
  histogram: readonly Readonly<{ upTo: number; rows: number }>[];
}>;

/** Longer rows count as rows of this length in shares and medians. */
const MOST_COUNTED = 2 ** 20;

/**
 * Returns an accumulator that encodes rows, whole and as they are trained on. `add` throws AttuneError if a row does
 * not fit the task.
 */
export function createLengths(
  open: OpenRun,
  reading: unknown,
): Readonly<{ add(row: Row, number: number): void; report(): LengthReport | undefined }> {
  const cut = contextOf(open, true, reading);
  const whole = { ...cut, maxLength: undefined };
  const counts = new Map<number, number>();
  let [rows, total, most, cutRows, cutTokens] = [0, 0, 0, 0, 0];
  const lengthOf = (row: Row, number: number, context: typeof cut): number =>
    open.collator.encode(row, number, context).reduce((n, sample) => n + tokensIn(sample), 0);
  return {
    add: (row, number) => {
      const length = lengthOf(row, number, whole);
      const shown = cut.maxLength !== undefined && length > cut.maxLength ? lengthOf(row, number, cut) : length;
      if (shown < length) {
        cutRows++;
        cutTokens += length - shown;
      }
      rows++;
      total += length;
      most = Math.max(most, length);
      const counted = Math.min(length, MOST_COUNTED);
      counts.set(counted, (counts.get(counted) ?? 0) + 1);
    },
    report: () => {
      if (rows === 0) return undefined;
      const sorted = [...counts].sort((a, b) => a[0] - b[0]);
      const quantile = (share: number): number => {
        let seen = 0;
        return sorted.find(([, count]) => (seen += count) >= share * rows)?.[0] ?? most;
      };
      return {
        least: sorted[0]?.[0] ?? 0,
        mean: total / rows,
        median: quantile(0.5),
        p90: quantile(0.9),
        p95: quantile(0.95),
        p99: quantile(0.99),
        most,
        total,
        maxLength: cut.maxLength ?? null,
        cutRows,
        cutTokens,
        histogram: histogramOf(sorted, most),
      };
    },
  };
}

const BARS = 20;

function histogramOf(sorted: readonly (readonly [number, number])[], most: number): LengthReport["histogram"] {
  const width = Math.max(1, Math.ceil(most / BARS));
  const bars = Array.from(
    { length: Math.ceil(Math.max(1, most) / width) },
    (_, i) => ({ upTo: (i + 1) * width, rows: 0 }),
  );
  for (const [length, count] of sorted) {
    const bar = bars[Math.min(bars.length - 1, Math.max(0, Math.ceil(length / width) - 1))];
    if (bar) bar.rows += count;
  }
  return bars;
}
