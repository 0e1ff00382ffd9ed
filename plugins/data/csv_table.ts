/**
 * CSV files as rows, over Papa Parse.
 * @module
 */
import Papa from "papaparse";
import { type FilePlace, openTextFile, rowsInMemory } from "../../blocks/data/mod.ts";
import { badFile, show } from "../../core/errors.ts";
import type { Row, Rows } from "../../core/types.ts";

/** How a CSV file is written; null: that is told by its content. */
export type CsvForm = Readonly<{
  delimiter: string | null;
  columns: readonly string[] | null;
  quoting: boolean;
  encoding: string;
}>;

/** Larger files are refused: the parser wants the text in one piece. */
const MAX_BYTES = 256 * 2 ** 20;

/** Rows of a CSV file. Throws AttuneError with the line's number where a quote stays open or a row has other columns. */
export async function openCsv(place: FilePlace, form: CsvForm): Promise<Rows> {
  const { name: path } = place;
  const file = await openTextFile("csv", place);
  const text = await file.text(MAX_BYTES, form.encoding);
  const delimiter = form.delimiter ?? delimiterOf(text, form);
  const { data, errors } = recordsOf(text, delimiter, form.quoting);
  const problems = new Map(errors.map((error) => [error.row ?? 0, error.message]));
  const rows: Row[] = [];
  const places: number[] = [];
  let names = form.columns;
  let line = 1;
  for (const [i, record] of data.entries()) {
    const where = `${path}, line ${line}`;
    const problem = problems.get(i);
    if (problem !== undefined) throw badFile("csv", where, problem);
    const first = line++;
    for (const value of record) line += lineBreaks(value);
    if (record.length === 1 && record[0] === "") continue;
    if (!names) names = headerOf(record, where);
    else {
      rows.push(rowOf(names, record, where));
      places.push(first);
    }
  }
  const opened = rowsInMemory(rows, await file.fingerprint(), (i) => `${path}, line ${places[i]}`);
  if (form.delimiter !== null || delimiter === ",") return opened;
  return { ...opened, notes: [`${path}: values are separated by ${show(delimiter)}, as its lines show`] };
}

type Records = Readonly<{ data: readonly string[][]; errors: readonly Papa.ParseError[] }>;

/** The records of a text. Without quoting, a quote is a character as others are. */
function recordsOf(text: string, delimiter: string, quoting: boolean, preview = 0): Records {
  if (quoting) {
    return Papa.parse<string[]>(withOneLineEnd(text, delimiter), { delimiter, newline: "\n", preview });
  }
  const lines = text.split(/\r\n|\r|\n/, preview > 0 ? preview : undefined);
  return { data: lines.map((line) => line.split(delimiter)), errors: [] };
}

/** Characters that files have between values, and how much of a file tells which. */
const [DELIMITERS, LOOKED_AT, LINES] = [[",", ";", "\t", "|"], 2 ** 20, 50];

/** The first that divides each of the first lines into equally many values, more than one; a comma where none does. */
function delimiterOf(text: string, { quoting, columns }: CsvForm): string {
  const beginning = text.slice(0, LOOKED_AT);
  const divides = (delimiter: string): boolean => {
    const { data, errors } = recordsOf(beginning, delimiter, quoting, LINES);
    // The last one may be cut.
    const whole = text.length > LOOKED_AT || data.length === LINES ? data.slice(0, -1) : data;
    const records = whole.filter((record) => record.length > 1 || record[0] !== "");
    const width = columns?.length ?? records[0]?.length ?? 0;
    const broken = errors.some(({ row = 0 }) => row < whole.length);
    return width > 1 && !broken && records.every((record) => record.length === width);
  };
  return DELIMITERS.find(divides) ?? ",";
}

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
