/** Parses the text of a CSV file with Papa Parse: delimiter, header, values. */
import Papa from "papaparse";
import { badFile, show } from "../../../core/base/errors.ts";
import type { Row } from "../../../core/types.ts";

/** The format of a CSV file; null: derived from its content. */
export type CsvForm = Readonly<{
  delimiter: string | null;
  columns: readonly string[] | null;
  quoting: boolean;
  encoding: string;
}>;

/** Parses the values of one record, found before. Throws AttuneError if its quotes are malformed. */
export type RecordReader = (text: string, where: string) => readonly string[];

/** Returns a reader of records in one format. */
export function createRecordReader(delimiter: string, quoting: boolean): RecordReader {
  const parser = new Papa.Parser({ delimiter, newline: "\n" });
  return (text, where) => {
    if (!quoting || !text.includes('"')) return text.split(delimiter);
    const { data: [record = []], errors: [error] } = parser.parse(`${text}\n`, 0, false) as Records;
    if (error) throw badFile("csv", where, error.message);
    return record;
  };
}

type Records = Readonly<{ data: readonly string[][]; errors: readonly Papa.ParseError[] }>;

/** Returns the records of a text. Without quoting, a quote is an ordinary character. */
export function recordsOf(text: string, delimiter: string, quoting: boolean, preview = 0): Records {
  if (quoting) {
    return Papa.parse<string[]>(withOneLineEnd(text, delimiter), { delimiter, newline: "\n", preview });
  }
  const lines = text.split(/\r\n|\r|\n/, preview > 0 ? preview : undefined);
  return { data: lines.map((line) => line.split(delimiter)), errors: [] };
}

/** Possible delimiters, and the number of lines that decide which one it is. */
const [DELIMITERS, LINES] = [[",", ";", "\t", "|"], 50];

/** Size of the beginning from which the delimiter is guessed. */
export const LOOKED_AT: number = 2 ** 20;

/** Returns the first delimiter that splits all first lines into equally many values, at least two; else a comma. */
export function delimiterOf(
  text: string,
  { quoting, columns }: CsvForm,
  isCut: boolean = text.length > LOOKED_AT,
): string {
  const beginning = text.slice(0, LOOKED_AT);
  const divides = (delimiter: string): boolean => {
    const { data, errors } = recordsOf(beginning, delimiter, quoting, LINES);
    // The last record may be incomplete.
    const whole = isCut || data.length === LINES ? data.slice(0, -1) : data;
    const records = whole.filter((record) => !isBlank(record));
    const width = columns?.length ?? records[0]?.length ?? 0;
    const broken = errors.some(({ row = 0 }) => row < whole.length);
    return width > 1 && !broken && records.every((record) => record.length === width);
  };
  return DELIMITERS.find(divides) ?? ",";
}

/** Replaces each line end outside of quoted values by "\n": a file may mix several kinds. */
function withOneLineEnd(text: string, delimiter: string): string {
  if (!text.includes("\r")) return text;
  const parts: string[] = [];
  let [from, at] = [0, 0];
  let [starts, quoted] = [true, false];
  while (at < text.length) {
    const c = text[at];
    if (quoted) {
      // A quote inside a quoted value is doubled.
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

/** Whether a record is a blank line, which pandas skips. */
export function isBlank(record: readonly string[]): boolean {
  return record.length === 1 && /^[ \t\v\f]*$/.test(record[0] ?? "");
}

/** Returns the column names. Throws AttuneError if one is not a text, or occurs twice. */
export function headerOf(record: readonly string[], where: string): readonly string[] {
  const seen = new Set<string>();
  const twice = record.find((name) => seen.size === seen.add(name).size);
  if (twice !== undefined) throw badFile("csv", where, `names column ${show(twice)} twice`);
  if (/^sep=.?$/i.test(record[0] ?? "") && record.slice(1).every((name) => name === "")) {
    throw badFile("csv", where, `is Excel's line ${show(record[0])} and no names of columns: take it out of the file`);
  }
  if (record.some((name) => name.includes("\0"))) {
    throw badFile("csv", where, 'has zero bytes in its column names, which suggests `"encoding": "utf-16le"`');
  }
  return record;
}

/** Returns a record as a row. Throws AttuneError if its number of values is wrong. */
export function rowOf(names: readonly string[], record: readonly string[], where: string): Row {
  if (record.length !== names.length) {
    throw badFile("csv", where, `has ${record.length} values for ${names.length} columns`);
  }
  return Object.fromEntries(names.map((name, k) => [name, record[k] ?? ""]));
}
