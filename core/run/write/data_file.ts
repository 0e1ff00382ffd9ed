/** The file data.json of a run's folder. */
import { rowText } from "../../data/compared_rows.ts";
import { createHashTable } from "../../data/hash_table.ts";
import { rowsThrough } from "../../data/rows_through.ts";
import { hashOf } from "../../data/text_hash.ts";
import type { Json, Named, RowColumns } from "../../types.ts";
import { type EncodedRows, rowsInOrder } from "../rows/encoded_rows.ts";
import type { SampleSizes } from "../rows/sample_sizes.ts";
import { splitsOf, type TaskRows } from "../rows/task_rows.ts";

/** Number of rows up to which repeated rows are counted; for larger data sets, `attune data` reports them. */
const COUNTED_ROWS = 10_000;

/**
 * Returns the content of data.json: for each split the rows before and after transforms, the rows that each transform
 * changed, the number of repeated rows, and tokens of the inspected samples; and leaks between splits.
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

/** Returns how many rows repeat an earlier row in the columns that the task reads. */
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

/** Returns statistics of tokens per sample: nine of ten samples have at most `p90` tokens. */
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
