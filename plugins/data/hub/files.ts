/** Files of the hub as rows, in any supported format. */
import { concatenatedRows, type FilePlace, openText } from "../../../blocks/data/mod.ts";
import { unknownName } from "../../../core/base/errors.ts";
import type { Rows } from "../../../core/types.ts";
import { openArrow } from "../arrow/file.ts";
import { openCsv } from "../csv/table.ts";
import type { HubConfig } from "./layout.ts";
import { openJson } from "../json/document.ts";
import { openParquets } from "../parquet/file.ts";

/** Opens the rows of a configuration's files, in order. `columns`: the columns to read; null: all. */
export async function openHubFiles(
  { format, options, classes }: Pick<HubConfig, "format" | "options" | "classes">,
  places: readonly FilePlace[],
  columns: readonly string[] | null,
): Promise<Rows> {
  const withClasses = (
    rows: Rows,
  ): Rows => (rows.classes || Object.keys(classes).length === 0 ? rows : { ...rows, classes });
  if (format === "parquet") return withClasses(await openParquets(places, columns));
  const text = (...keys: readonly string[]): string | undefined =>
    keys.map((key) => options[key]).find((value): value is string => typeof value === "string");
  const names = [options.names, options.column_names].find(Array.isArray)?.map(String) ?? null;
  const sampleBy = text("sample_by");
  const open = {
    csv: (place: FilePlace) =>
      openCsv(place, {
        delimiter: text("sep", "delimiter") ?? null,
        columns: names,
        quoting: options.quoting !== 3,
        encoding: text("encoding") ?? "utf-8",
      }),
    json: (place: FilePlace) => openJson("json", place, text("field") ?? null),
    text: (place: FilePlace) =>
      openText(place, sampleBy === "paragraph" || sampleBy === "document" ? sampleBy : "line"),
    arrow: openArrow,
  }[format];
  const parts: Rows[] = [];
  for (const place of places) parts.push(await open(place));
  const rows = withClasses(await concatenatedRows(parts));
  return columns ? await withColumns(rows, columns) : rows;
}

/** Keeps only some columns of rows. Throws AttuneError if the first row lacks one. */
async function withColumns(rows: Rows, columns: readonly string[]): Promise<Rows> {
  const { at } = rows;
  const only = (row: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(columns.flatMap((name) => (Object.hasOwn(row, name) ? [[name, row[name]]] : [])));
  for await (const { row } of rows.read()) {
    for (const name of columns) {
      if (!Object.hasOwn(row, name)) throw unknownName("hub", "columns", "column", name, Object.keys(row));
    }
    break;
  }
  return {
    ...rows,
    fingerprint: `${rows.fingerprint} ${JSON.stringify(columns)}`,
    ...(at ? { at: async (numbers) => (await at(numbers)).map(only) } : {}),
    read: async function* (from) {
      for await (const item of rows.read(from)) yield { ...item, row: only(item.row) };
    },
  };
}
