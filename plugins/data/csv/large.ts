/**
 * CSV files too large for memory: read on demand by an index of their records or, if compressed or in a multi-byte
 * encoding, from start to end.
 */
import {
  encodingOf,
  type FilePlace,
  notIn,
  openTextFile,
  recordsIn,
  recordsOf,
  streamedRows,
} from "../../../blocks/data/mod.ts";
import { openRecords, type RecordForm } from "../../../core/data/record_index.ts";
import { badFile, badValue } from "../../../core/base/errors.ts";
import type { Rows } from "../../../core/types.ts";
import { type CsvRecord, cutCsv } from "./records.ts";
import { createRecordReader, type CsvForm, delimiterOf, headerOf, LOOKED_AT, rowOf } from "./parse.ts";

/** A form with a known delimiter. */
type KnownForm = CsvForm & Readonly<{ delimiter: string }>;

/** Encodings whose ASCII bytes occur in no other character, and whose characters can be decoded from any of them on. */
const INDEXED = /^(utf-8|windows-\d+|iso-8859-\d+|koi8-[ru]|macintosh|x-mac-cyrillic|ibm866)$/;

/** Guesses the delimiter from the beginning of a large file. */
export async function detectDelimiter({ store, key }: FilePlace, form: CsvForm): Promise<string> {
  const bytes = (await store.get(key, { offset: 0, length: LOOKED_AT }))?.bytes ?? new Uint8Array();
  // The last character may be incomplete.
  return delimiterOf(new TextDecoder(encodingOf(bytes) ?? form.encoding).decode(bytes, { stream: true }), form, true);
}

/** Whether records can be found in the bytes of a file without decoding or decompressing it. */
export async function isReadInPlace({ store, key }: FilePlace, { encoding, delimiter }: CsvForm): Promise<boolean> {
  const bytes = (await store.get(key, { offset: 0, length: 4 }))?.bytes ?? new Uint8Array();
  const name = new TextDecoder(encodingOf(bytes) ?? encoding).encoding;
  return INDEXED.test(name) && (name === "utf-8" || isAscii(delimiter ?? ","));
}

/** Opens the rows of a large file by an index of its records. */
export async function openIndexedCsv(place: FilePlace, form: KnownForm): Promise<Rows> {
  const { name, store, key, path, cache } = place;
  const whereIs = (line: number): string => `${name}, line ${line}`;
  const { count, fingerprint, longest, at, read } = await openRecords(
    { plugin: "csv", name, store, key, identity: `csv ${path ?? name}` },
    cache,
    recordForm(form, whereIs),
  );
  const [header] = form.columns || count === 0 ? [] : await at([0]);
  const before = header ? 1 : 0;
  const names = form.columns ?? (header ? headerOf(header.values, whereIs(header.line)) : []);
  const rowAt = ({ values, line }: ReadRecord) => rowOf(names, values, whereIs(line));
  const length = count - before;
  const recordAt = (index: number): number => {
    if (!Number.isInteger(index) || index < 0 || index >= length) {
      throw badValue("csv", "row", index, `a row from 0 to ${length - 1}`);
    }
    return index + before;
  };
  return {
    length,
    fingerprint,
    longest: longest.filter((record) => record >= before).map((record) => record - before),
    at: async (indices) => (await at(indices.map(recordAt))).map(rowAt),
    where: async (index) => (await at([recordAt(index)])).map(({ line }) => whereIs(line))[0],
    read: async function* (from) {
      let index = from?.at ?? 0;
      for await (const record of read(index + before)) {
        yield { row: rowAt(record), next: { at: ++index }, where: whereIs(record.line) };
      }
    },
  };
}

/** Opens the rows of a file by reading it from start to end. `delimiter`: of its values. */
export async function openStreamedCsv(
  place: FilePlace,
  form: CsvForm,
): Promise<Rows & Readonly<{ delimiter: string }>> {
  const { name } = place;
  const whereIs = (line: number): string => `${name}, line ${line}`;
  let used = form.delimiter;
  const rows = await streamedRows(async () => {
    const file = await openTextFile("csv", place);
    const pieces = await peeked(file.utf8(form.encoding));
    const delimiter = used ??= delimiterOf(pieces.beginning, form, pieces.isCut);
    const signs = { delimiter: new TextEncoder().encode(delimiter), quoting: form.quoting };
    const valuesOf = createRecordReader(delimiter, form.quoting);
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const read = async function* () {
      let names = form.columns;
      const check = widthCheck(names?.length, whereIs);
      const records = recordsIn<CsvRecord>(pieces.all(), (found) => cutCsv(signs, { whereIs }, found));
      for await (const { record, bytes } of records) {
        check(record);
        const text = decoder.decode(bytes);
        const where = whereIs(record.line);
        const values = valuesOf(text, where);
        if (names) yield { row: rowOf(names, values, where), where, size: text.length };
        else names = headerOf(values, where);
      }
    };
    return { rows: read(), fingerprint: file.fingerprint };
  });
  return { ...rows, delimiter: used ?? "," };
}

type ReadRecord = Readonly<{ values: readonly string[]; line: number }>;

function recordForm(
  form: KnownForm,
  whereIs: (line: number) => string,
): RecordForm<Readonly<{ bytes: Uint8Array; line: number }>, ReadRecord> {
  const { delimiter, columns, quoting, encoding } = form;
  const valuesOf = createRecordReader(delimiter, quoting);
  const signs = { delimiter: new TextEncoder().encode(delimiter), quoting };
  const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  return {
    id: JSON.stringify(["csv 2", delimiter, quoting, columns?.length ?? null]),
    scan: (note) => {
      const check = widthCheck(columns?.length, whereIs);
      return cutCsv(signs, { whereIs }, (record) => {
        check(record);
        note(record.begin, record.end - record.begin, record.line);
      });
    },
    split: (bytes, line) =>
      recordsOf<CsvRecord>(bytes, (found) => cutCsv(signs, { whereIs, line, isStart: false }, found))
        .map(({ record, bytes }) => ({ bytes, line: record.line })),
    read: ({ bytes, line }) => {
      let text: string;
      try {
        text = decoder.decode(bytes);
      } catch {
        throw badFile("csv", whereIs(line), notIn(decoder.encoding));
      }
      return { values: valuesOf(text, whereIs(line)), line };
    },
  };
}

/** Returns a check that all records have as many values as there are columns (given, or in the first record). */
function widthCheck(columns: number | undefined, whereIs: (line: number) => string): (record: CsvRecord) => void {
  let width = columns;
  return ({ values, line }) => {
    width ??= values;
    if (values !== width) throw badFile("csv", whereIs(line), `has ${values} values for ${width} columns`);
  };
}

/** Reads the beginning of a stream, enough to guess the delimiter; `all` yields it again, followed by the rest. */
async function peeked(
  pieces: AsyncIterable<Uint8Array>,
): Promise<Readonly<{ beginning: string; isCut: boolean; all(): AsyncIterable<Uint8Array> }>> {
  const rest = pieces[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  const decoder = new TextDecoder();
  let beginning = "";
  let isCut = true;
  while (beginning.length < LOOKED_AT) {
    const next = await rest.next();
    isCut = !next.done;
    if (next.done) break;
    first.push(next.value);
    beginning += decoder.decode(next.value, { stream: true });
  }
  return {
    beginning,
    isCut,
    all: async function* () {
      try {
        yield* first.splice(0);
        for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
      } finally {
        await rest.return?.();
      }
    },
  };
}

function isAscii(text: string): boolean {
  return [...text].every((sign) => sign <= "\x7F");
}
