/**
 * Rows in memory as an open dataset, shared by data plugins.
 * @module
 */
import { badValue } from "../../core/base/errors.ts";
import type { Cursor, Row, Rows } from "../../core/types.ts";

/** Rows that are all there, and where each stands. `at` throws AttuneError on rows that are not. */
export function rowsInMemory(rows: readonly Row[], fingerprint: string, where?: (index: number) => string): Rows {
  return {
    length: rows.length,
    fingerprint,
    read: async function* (from) {
      for (let at = from?.at ?? 0; at < rows.length; at++) {
        yield { row: rows[at] ?? {}, next: { at: at + 1 }, ...(where ? { where: where(at) } : {}) };
      }
    },
    at: async (indices) =>
      indices.map((index) => {
        const row = rows[index];
        if (!row) throw badValue("data", "row", index, `a row from 0 to ${rows.length - 1}`);
        return row;
      }),
    ...(where ? { where: async (index) => where(index) } : {}),
  };
}

/**
 * What is known of rows that come of other data sets: names of classes, notes, and what transforms did to them. `places`: where
 * each of these stands in the options of the data set that is made of them.
 */
export function knownOf(
  sources: readonly Rows[],
  places?: readonly string[],
): Pick<Rows, "classes" | "notes" | "transforms"> {
  const classes = Object.assign({}, ...sources.map((source) => source.classes ?? {}));
  const notes = [...new Set(sources.flatMap((source) => source.notes ?? []))];
  const transforms = sources.flatMap(({ transforms = [] }, i) =>
    transforms.map((report) =>
      places ? { ...report, within: [`with.${places[i]}`, ...report.within ? [report.within] : []].join(".") } : report
    )
  );
  return {
    ...(Object.keys(classes).length > 0 ? { classes } : {}),
    ...(notes.length > 0 ? { notes } : {}),
    ...(transforms.length > 0 ? { transforms } : {}),
  };
}

/** Rows of the data set `source`, which have these numbers there, as those of a data set that has it as an option of this name. */
export function pickedRows(source: Rows, rows: readonly Row[], numbers: readonly number[], fingerprint: string): Rows {
  const where = async (index: number): Promise<string> =>
    await source.where?.(numbers[index] ?? -1) ?? `row ${numbers[index] ?? index}`;
  const read = async function* (from?: Cursor): ReturnType<Rows["read"]> {
    for (let at = from?.at ?? 0; at < rows.length; at++) {
      yield { row: rows[at] ?? {}, next: { at: at + 1 }, where: await where(at) };
    }
  };
  return { ...rowsInMemory(rows, fingerprint), ...knownOf([source], ["source"]), where, read };
}

/** Every row of a data set, in order. */
export async function allRows(source: Rows): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const { row } of source.read()) rows.push(row);
  return rows;
}
