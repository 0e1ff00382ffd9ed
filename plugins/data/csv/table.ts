/** CSV files as rows. */
import { type FilePlace, HELD_BYTES, openTextFile, readingOf, rowsInMemory } from "../../../blocks/data/mod.ts";
import { badFile, show } from "../../../core/base/errors.ts";
import { sha256 } from "../../../core/base/sha256.ts";
import type { Row, Rows } from "../../../core/types.ts";
import { type CsvForm, delimiterOf, headerOf, isBlank, recordsOf, rowOf } from "./parse.ts";

/** Opens a CSV file. Throws AttuneError with the line's number if a quote stays open or a row has other columns. */
export async function openCsv(place: FilePlace, form: CsvForm): Promise<Rows> {
  const { rows, delimiter } = await openedCsv(place, form);
  const { columns, quoting, encoding } = form;
  const isPlain = form.delimiter === null && columns === null && quoting && encoding === "utf-8";
  // In another format, the same bytes are other rows.
  const fingerprint = isPlain ? rows.fingerprint : await sha256(JSON.stringify([rows.fingerprint, form]));
  const isTold = form.delimiter !== null || delimiter === ",";
  const note = `${place.name}: the delimiter is ${show(delimiter)}, judging by its lines`;
  return { ...rows, fingerprint, ...(isTold ? {} : { notes: [note] }) };
}

async function openedCsv(place: FilePlace, form: CsvForm): Promise<Readonly<{ rows: Rows; delimiter: string }>> {
  const reading = await readingOf(place);
  if (reading !== "whole") {
    const large = await import("./large.ts");
    if (reading === "streamed" || !await large.isReadInPlace(place, form)) {
      const { delimiter, ...rows } = await large.openStreamedCsv(place, form);
      return { rows, delimiter };
    }
    const delimiter = form.delimiter ?? await large.detectDelimiter(place, form);
    return { rows: await large.openIndexedCsv(place, { ...form, delimiter }), delimiter };
  }
  const file = await openTextFile("csv", place);
  const text = await file.text(HELD_BYTES, form.encoding);
  const delimiter = form.delimiter ?? delimiterOf(text, form);
  return { rows: rowsOf(text, place.name, { ...form, delimiter }, await file.fingerprint()), delimiter };
}

/** Returns the rows in a file's text. */
function rowsOf(
  text: string,
  path: string,
  { delimiter, columns, quoting }: CsvForm & Readonly<{ delimiter: string }>,
  fingerprint: string,
): Rows {
  const { data, errors } = recordsOf(text, delimiter, quoting);
  const problems = new Map(errors.map((error) => [error.row ?? 0, error.message]));
  const rows: Row[] = [];
  const places: number[] = [];
  let names = columns;
  let line = 1;
  for (const [i, record] of data.entries()) {
    const where = `${path}, line ${line}`;
    const problem = problems.get(i);
    if (problem !== undefined) throw badFile("csv", where, problem);
    const first = line++;
    for (const value of record) line += lineBreaks(value);
    if (isBlank(record)) continue;
    if (!names) names = headerOf(record, where);
    else {
      rows.push(rowOf(names, record, where));
      places.push(first);
    }
  }
  return rowsInMemory(rows, fingerprint, (i) => `${path}, line ${places[i]}`);
}

function lineBreaks(value: string): number {
  return value.includes("\n") || value.includes("\r") ? value.split(/\r\n|\r|\n/).length - 1 : 0;
}
