/**
 * Comma-separated values, over Papa Parse.
 * @module
 */
import Papa from "papaparse";
import * as v from "valibot";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/define.ts";
import { badFile, show } from "../../core/errors.ts";
import type { Factory, Row } from "../../core/types.ts";
import { rowsInMemory } from "../../blocks/data/mod.ts";
import { openTextFile } from "../../blocks/data/mod.ts";

/** Options of {@link csv}. */
export interface CsvOptions {
  /** The file. */
  readonly path: string;
  /** The character between values. */
  readonly delimiter: string;
  /** Names of the columns; null: the first line has them. */
  readonly columns: readonly string[] | null;
}

/** Schema of {@link CsvOptions}. */
export const csvSchema: v.GenericSchema<Partial<CsvOptions> & { path: string }, CsvOptions> = v.strictObject({
  path: role(v.string(), { role: "path" }),
  // Papa Parse would put a comma in place of these without a word.
  delimiter: v.optional(v.pipe(v.string(), v.regex(/^[^\r\n"\uFEFF]+$/, "no line break, quote or empty text")), ","),
  columns: v.optional(v.nullable(v.array(v.string())), null),
});

/** Larger files are refused: the parser wants the text in one piece. */
const MAX_BYTES = 256 * 2 ** 20;

/**
 * Rows of a CSV file (RFC 4180) of at most 256 MiB; every value is a string, empty lines are passed over.
 *
 * @throws AttuneError from `open` with the line's number where a quote stays open or a row has other columns.
 * @example
 * ```ts
 * import { csv } from "attune/data/csv";
 * console.assert(csv({ path: "./rows.tsv", delimiter: "\t" }).name === "csv");
 * ```
 */
export const csv: Factory<"data", Partial<CsvOptions> & { path: string }> = define({
  kind: "data",
  name: "csv",
  schema: csvSchema,
  create: ({ path, delimiter, columns }) => ({
    open: async (host) => {
      const file = await openTextFile("csv", path, host);
      const { data, errors } = Papa.parse<string[]>(withOneLineEnd(await file.text(MAX_BYTES), delimiter), {
        delimiter,
        newline: "\n",
      });
      const problems = new Map(errors.map((error) => [error.row ?? 0, error.message]));
      const rows: Row[] = [];
      const places: string[] = [];
      let names = columns;
      let line = 1;
      for (const [i, record] of data.entries()) {
        const where = `${path}, line ${line}`;
        const problem = problems.get(i);
        if (problem !== undefined) throw badFile("csv", where, problem);
        line++;
        for (const value of record) line += lineBreaks(value);
        if (record.length === 1 && record[0] === "") continue;
        if (!names) names = headerOf(record, where);
        else {
          rows.push(rowOf(names, record, where));
          places.push(where);
        }
      }
      return rowsInMemory(rows, await file.fingerprint(), (i) => places[i] ?? path);
    },
  }),
});

/** The text with "\n" for each line end that is no part of a quoted value: a file may have several kinds. */
function withOneLineEnd(text: string, delimiter: string): string {
  if (!text.includes("\r")) return text;
  const parts: string[] = [];
  let [from, at] = [0, 0];
  let [starts, quoted] = [true, false];
  while (at < text.length) {
    const c = text[at];
    if (quoted) {
      // A quote within a value is written twice.
      if (c === '"' && text[at + 1] === '"') at++;
      else if (c === '"') quoted = false;
      at++;
    } else if (c === '"' && starts) {
      [starts, quoted] = [false, true];
      at++;
    } else if (c === "\r") {
      parts.push(text.slice(from, at), "\n");
      at += text[at + 1] === "\n" ? 2 : 1;
      [from, starts] = [at, true];
    } else {
      const separates = text.startsWith(delimiter, at);
      starts = separates || c === "\n";
      at += separates ? delimiter.length : 1;
    }
  }
  return parts.join("") + text.slice(from);
}

function headerOf(record: readonly string[], where: string): readonly string[] {
  const seen = new Set<string>();
  const twice = record.find((name) => seen.size === seen.add(name).size);
  if (twice !== undefined) throw badFile("csv", where, `names column ${show(twice)} twice`);
  return record;
}

function rowOf(names: readonly string[], record: readonly string[], where: string): Row {
  if (record.length !== names.length) {
    throw badFile("csv", where, `has ${record.length} values for ${names.length} columns`);
  }
  return Object.fromEntries(names.map((name, k) => [name, record[k] ?? ""]));
}

function lineBreaks(value: string): number {
  return value.includes("\n") || value.includes("\r") ? value.split(/\r\n|\r|\n/).length - 1 : 0;
}
