/** The file data.json of a run's folder. */
import { rowText } from "../../data/compared_rows.ts";
import { createHashTable } from "../../data/hash_table.ts";
import { rowsThrough } from "../../data/rows_through.ts";
import { hashOf } from "../../data/text_hash.ts";
import type { Json, Named, RowColumns } from "../../types.ts";
import { type EncodedRows, rowsInOrder } from "../rows/encoded_rows.ts";
import type { SampleSizes } from "../rows/sample_sizes.ts";
import { splitsOf, type TaskRows } from "../rows/task_rows.ts";

/** Rows that repeat others are counted of data sets of so many rows; of larger ones `attune data` tells them. */
const COUNTED_ROWS = 10_000;

/**
 * The file data.json: rows in and out of each split, what transforms did to them, by row, rows that repeat one before, tokens of
 * the samples that were looked at, and rows that are measured and trained on.
 */
export async function dataFile(tasks: readonly TaskRows[]): Promise<Json> {
  const entries: [string, Json][] = [];
  for (const task of tasks) {
    const { collator: { columns }, run: { training } } = task.open;
    const facts: Record<string, unknown> = {};
    for (const [name, rows] of splitsOf(task)) {
      const { transforms, rowCount, looked } = rows;
      facts[name] = {
        ...rowsThrough(transforms ?? [], rowCount),
        ...(transforms ? { transforms } : {}),
        ...(rowCount <= COUNTED_ROWS ? { duplicates: { rows: await repeatedIn(rows, columns) } } : {}),
        lengths: { ...lengthsOf(looked), maxLength: training.maxLength ?? null },
      };
    }
    entries.push([task.open.task.name, { ...facts, leaks: task.leaks ?? {} } as unknown as Json]);
  }
  const [[name, only] = ["", {}]] = entries;
  return name === "" ? only : { tasks: Object.fromEntries(entries) };
}

/** How many rows say the same as one before, in what the task reads. */
async function repeatedIn(rows: EncodedRows, columns: RowColumns | undefined): Promise<number> {
  const textOf = rowText(columns);
  const table = createHashTable();
  let repeated = 0;
  for await (const { row } of rowsInOrder(rows)) {
    const hash = hashOf(textOf(row));
    if (table.get(hash) === undefined) table.set(hash, table.size);
    else repeated++;
  }
  return repeated;
}

/** Tokens of samples as they are trained on: nine of ten have no more than `p90`. */
function lengthsOf({ count, total, tokens }: SampleSizes): Named<number> {
  const sorted = Uint32Array.from({ length: count }, (_, place) => tokens(place)).sort();
  const quantile = (share: number): number => sorted[Math.max(0, Math.ceil(share * count) - 1)] ?? 0;
  return {
    samples: count,
    least: quantile(0),
    mean: count === 0 ? 0 : total / count,
    median: quantile(0.5),
    p90: quantile(0.9),
    p95: quantile(0.95),
    p99: quantile(0.99),
    most: quantile(1),
    total,
  };
}
