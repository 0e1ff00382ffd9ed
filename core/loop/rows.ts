/** Joins the outputs of rows that are several samples, which may be in different batches. */
import type { Batch, Json, MetricInputs, Named, Subtask, Tensor, Tokenizer } from "../types.ts";

/** Reads whole rows; the samples of a row must be consecutive. */
export interface RowReader<T> {
  /** Reads a batch, and returns the results of rows that are complete. */
  read(outputs: Named<Tensor>, batch: Batch): T[];
  /** Returns the result of the last row. */
  end(): T[];
}

/** Readings of rows: the rows' numbers in the data set, and the columns that metrics need. */
export type RowReadings = Readonly<{
  rows: ArrayLike<number>;
  readings: ReturnType<Subtask["decode"]>;
  columns?: readonly (Named<Json> | undefined)[] | undefined;
  /** For kinds with readings per position: the index in `rows` of each reading. */
  places?: { readonly [R in keyof MetricInputs]?: Int32Array } | undefined;
}>;

/** Whether a kind has exactly one reading per row. */
export function areOfRows({ rows, readings, places }: RowReadings, kind: keyof MetricInputs): boolean {
  return readings[kind]?.length === rows.length && places?.[kind] === undefined;
}

/** Creates a reader of a task's readings: per row if a row may be several samples, otherwise per batch. */
export function readingsReader(task: Subtask, tokenizer: Tokenizer): RowReader<RowReadings> {
  const { windows } = task;
  if (!windows) {
    const read = (outputs: Named<Tensor>, batch: Batch): RowReadings[] => [
      {
        rows: batch.rows,
        readings: task.decode(outputs, batch, tokenizer),
        columns: batch.columns,
        places: task.placesOf?.(batch),
      },
    ];
    return { read, end: () => [] };
  }
  return rowReader(task, tokenizer, (parts, row, columns) => ({
    rows: [row],
    readings: windows.decode(parts),
    columns: columns && [columns],
  }));
}

/** Creates a reader of a task's predictions, one per row. */
export function predictionsReader(task: Subtask, tokenizer: Tokenizer): RowReader<Named<Json>> {
  const { windows } = task;
  if (!windows) return { read: (outputs, batch) => [...task.predict(outputs, batch, tokenizer)], end: () => [] };
  return rowReader(task, tokenizer, (parts) => windows.predict(parts));
}

function rowReader<T>(
  task: Subtask,
  tokenizer: Tokenizer,
  join: (parts: readonly unknown[], row: number, columns: Named<Json> | undefined) => T,
): RowReader<T> {
  let row: number | undefined;
  let columns: Named<Json> | undefined;
  let parts: unknown[] = [];
  const end = (): T[] => {
    const done = row === undefined ? [] : [join(parts, row, columns)];
    [row, parts] = [undefined, []];
    return done;
  };
  return {
    read: (outputs, batch) =>
      (task.windows?.part(outputs, batch, tokenizer) ?? []).flatMap((part, i) => {
        const done = batch.rows[i] === row ? [] : end();
        row = batch.rows[i];
        columns = batch.columns?.[i];
        parts.push(part);
        return done;
      }),
    end,
  };
}
