/** Transforms of one row at a time. */
import { AttuneError, badValue, nearest, show } from "../../core/base/errors.ts";
import type { Row, TransformContext, TransformRow } from "../../core/types.ts";

/** Passes each row through a function, and reports what happened to it. */
export async function* eachRow(
  rows: AsyncIterable<TransformRow>,
  context: TransformContext,
  change: (item: TransformRow) => RowChange | Promise<RowChange>,
): AsyncIterable<TransformRow> {
  for await (const item of rows) {
    const { row, drop, reasons = [] } = await change(item);
    if (drop !== undefined) {
      context.note(item, "dropped", drop);
      continue;
    }
    for (const reason of reasons) context.note(item, "changed", reason);
    yield row === undefined ? item : { ...item, row };
  }
}

/** What happens to a row. `{}`: it stays. `drop`: why it is dropped. `row`: its new value, and reasons to report. */
export type RowChange = Readonly<{ row?: Row; reasons?: readonly string[]; drop?: string }>;

/** Returns the place of a row for messages. */
export const placeOf = ({ where, index }: TransformRow): string => where ?? `row ${index}`;

/** Returns the value of a column. Throws AttuneError that lists the row's columns if there is none of that name. */
export function columnOf(plugin: string, item: TransformRow, column: string): unknown {
  if (Object.hasOwn(item.row, column)) return item.row[column];
  const there = Object.keys(item.row);
  const near = nearest(column, there);
  throw new AttuneError(
    `${placeOf(item)} has no column "${column}"${near ? `, did you mean "${near}"?` : ""} Columns: ${show(there)}`,
    { code: "UNKNOWN_COLUMN", plugin, path: column, found: there, allowed: there },
  );
}

/** Returns the error for a value in a row's column. */
export function badColumn(
  plugin: string,
  item: TransformRow,
  column: string,
  value: unknown,
  allowed: string,
): AttuneError {
  return badValue(plugin, `${placeOf(item)}, column "${column}"`, value, allowed);
}

/** Throws AttuneError if a row lacks one of the columns in a transform's options. */
export function checkColumns(plugin: string, item: TransformRow, given: readonly string[] | null): void {
  for (const column of given ?? []) columnOf(plugin, item, column);
}

/** Returns the columns in a transform's options, or else the task's, without optional columns that the row lacks. */
export function textColumns(
  plugin: string,
  named: readonly string[] | null,
  { columns }: TransformContext,
): readonly string[] {
  const chosen = named ?? columns?.texts;
  if (chosen) return chosen;
  throw badValue(plugin, "columns", null, "names of columns, because no task says which to use");
}
