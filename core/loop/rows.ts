/** Rows that are several samples, whatever batches these came in. */
import type { Batch, Json, MetricInputs, Named, Subtask, Tensor, Tokenizer } from "../types.ts";

/** Reads whole rows: samples of one row must come one after the other. */
export interface RowReader<T> {
  /** What the rows gave that are complete. */
  read(outputs: Named<Tensor>, batch: Batch): T[];
  /** The last row. */
  end(): T[];
}

/** Readings, which rows of the data set they are of, and the columns of these that metrics ask for. */
export type RowReadings = Readonly<{
  rows: ArrayLike<number>;
  readings: ReturnType<Subtask["decode"]>;
  columns?: readonly (Named<Json> | undefined)[] | undefined;
  /** Of kinds whose readings are of places and not of rows: which of `rows` each is of. */
  places?: { readonly [R in keyof MetricInputs]?: Int32Array } | undefined;
}>;

/** Whether the readings of a kind are of whole rows, one each. */
export function areOfRows({ rows, readings, places }: RowReadings, kind: keyof MetricInputs): boolean {
  return readings[kind]?.length === rows.length && places?.[kind] === undefined;
}

/** Readings of a task, row by row where a row may be several samples, else of each batch. */
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

/** Predictions of a task, one per row. */
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
