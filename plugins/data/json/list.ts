/**
 * JSON files with one list of objects, at the top or inside, too large for memory: read on demand by an index of the
 * list's entries or, if compressed, from start to end.
 */
import {
  type Cutter,
  type FilePlace,
  type FileReading,
  openTextFile,
  recordsIn,
  recordsOf,
  streamedRows,
} from "../../../blocks/data/mod.ts";
import { openRecords, type RecordForm } from "../../../core/data/record_index.ts";
import { type AttuneError, badFile, badValue } from "../../../core/base/errors.ts";
import { sha256 } from "../../../core/base/sha256.ts";
import type { Row, Rows } from "../../../core/types.ts";
import { isBlank, seekField } from "./field.ts";
import { parseValue } from "./value.ts";

/** An entry of a list: its begin and end offsets, and its number from 0. */
type Entry = Readonly<{ begin: number; end: number; number: number }>;

/** Larger entries are refused: a list that is not closed would be one. */
const MAX_ENTRY = 64 * 2 ** 20;

/**
 * Opens the rows of the file's list, or of the list in `field`. Throws AttuneError if there is none or an entry is not
 * an object; errors inside an entry are reported when it is read.
 */
export async function openJsonList(
  plugin: string,
  place: FilePlace,
  reading: Exclude<FileReading, "whole">,
  field: string | null,
): Promise<Rows> {
  const { name: file, store, key, path, cache } = place;
  const name = field === null ? file : `${file}, ${field}`;
  const list: List = { plugin, file, name, field };
  if (reading === "streamed") {
    return await streamedRows(async () => {
      const file = await openTextFile(plugin, place);
      return {
        rows: streamed(list, file.utf8()),
        fingerprint: async () => await listDigest(await file.fingerprint(), field),
      };
    });
  }
  const { count, fingerprint, longest, at, read } = await openRecords(
    { plugin, name: file, store, key, identity: `${plugin} ${path ?? file}` },
    cache,
    entryForm(list),
  );
  const whereIs = (index: number): string => `${name}, row ${index}`;
  return {
    length: count,
    fingerprint: await listDigest(fingerprint, field),
    longest,
    at,
    where: async (index) => whereIs(index),
    read: async function* (from) {
      let index = from?.at ?? 0;
      for await (const row of read(index)) yield { row, where: whereIs(index), next: { at: ++index } };
    },
  };
}

/** Returns the fingerprint of a list: the same bytes have other lists in other fields. */
export async function listDigest(bytes: string, field: string | null): Promise<string> {
  return field === null ? bytes : await sha256(JSON.stringify([bytes, field]));
}

/** A list's name in messages, and its file. */
type List = Readonly<{ plugin: string; file: string; name: string; field: string | null }>;

async function* streamed(list: List, pieces: AsyncIterable<Uint8Array>) {
  for await (const { record, bytes } of recordsIn<Entry>(pieces, (onEntry) => cutList(list, { onEntry }))) {
    const where = `${list.name}, row ${record.number}`;
    yield { row: rowOf(list, bytes, record.number), where, size: bytes.length };
  }
}

function entryForm(list: List): RecordForm<Readonly<{ bytes: Uint8Array; number: number }>, Row> {
  return {
    id: `json list 1${list.field === null ? "" : ` at ${list.field}`}`,
    scan: (note) => cutList(list, { onEntry: ({ begin, end, number }) => note(begin, end - begin, number) }),
    split: (bytes, number) =>
      recordsOf<Entry>(bytes, (onEntry) => cutList(list, { onEntry, number, isPart: true }))
        .map(({ record, bytes }) => ({ bytes, number: record.number })),
    read: ({ bytes, number }) => rowOf(list, bytes, number),
  };
}

function rowOf({ plugin, name }: List, bytes: Uint8Array, number: number): Row {
  const where = `${name}, row ${number}`;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw badFile(plugin, where, "is not UTF-8");
  }
  return parseValue(plugin, text, where) as Row;
}

/** Bytes with a meaning between and inside of entries. */
const [QUOTE, BACKSLASH, COMMA, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [34, 92, 44, 123, 125, 91, 93];

/** The next byte is before the list, before an optional or required entry, in one, after one, or after the list. */
type At = "before" | "first" | "next" | "within" | "behind" | "after";

/** Options of a cutter. `isPart`: the bytes are only some of the entries, of which the first has number `number`. */
type CutOptions = Readonly<{ onEntry: (entry: Entry) => void; number?: number; isPart?: boolean }>;

/** Returns a cutter of a list's entries. Throws AttuneError if the bytes are not a list of objects. */
function cutList(list: List, { onEntry, number: first = 0, isPart = false }: CutOptions): Cutter {
  const { plugin, file, name, field } = list;
  const seeker = field === null ? undefined : seekField(plugin, file, field);
  let [offset, begin, end, depth, number] = [0, 0, 0, 0, first];
  let state: At = isPart ? "next" : "before";
  let [inText, isEscaped] = [false, false];
  const wrong = (what: string): AttuneError => badFile(plugin, `${name}, row ${number}`, `is not JSON (${what})`);
  const between = (byte: number, here: number): void => {
    if (state === "before" && isMark(byte, here)) return;
    if (seeker && state === "before") {
      if (seeker.before(byte)) state = "first";
      return;
    }
    if (seeker && state === "after" && seeker.after(byte)) return;
    if (isBlank(byte)) return;
    if (state === "before" && byte === OPEN_LIST) state = "first";
    else if (state === "behind" && byte === COMMA) state = "next";
    else if ((state === "behind" || state === "first") && byte === CLOSE_LIST) {
      state = "after";
      seeker?.after(byte);
    } else if ((state === "first" || state === "next") && byte === OPEN) {
      [state, begin, depth] = ["within", here, 1];
    } else if ((state === "first" || state === "next") && begins(byte)) {
      throw badValue(plugin, `${name}, row ${number}`, String.fromCharCode(byte), "an object");
    } else throw wrong(`unexpected "${String.fromCharCode(byte)}"`);
  };
  const within = (byte: number, here: number): void => {
    if (inText) {
      if (isEscaped) isEscaped = false;
      else if (byte === BACKSLASH) isEscaped = true;
      else if (byte === QUOTE) inText = false;
    } else if (byte === QUOTE) inText = true;
    else if (byte === OPEN || byte === OPEN_LIST) depth++;
    else if ((byte === CLOSE || byte === CLOSE_LIST) && --depth === 0) {
      if (byte === CLOSE_LIST) throw wrong('unexpected "]"');
      [state, end] = ["behind", here + 1];
      onEntry({ begin, end, number: number++ });
      begin = end;
    }
  };
  return {
    begun: () => begin,
    push: (bytes) => {
      for (let i = 0; i < bytes.length; i++) {
        const byte = bytes[i] ?? 0;
        if (state !== "within") between(byte, offset + i);
        else if (isEscaped || MEANS[byte] === 1) within(byte, offset + i);
      }
      offset += bytes.length;
      if (state !== "within") begin = offset;
      else if (offset - begin > MAX_ENTRY) {
        throw badFile(plugin, `${name}, row ${number}`, `has more than ${MAX_ENTRY} bytes`);
      }
    },
    end: () => {
      const isWhole = state === "after" && (seeker?.hasEnded() ?? true);
      if (isPart ? state === "within" : !isWhole) throw wrong("it ends too early");
      return end;
    },
  };
}

/** Bytes with a meaning inside of an entry. */
const MEANS: Uint8Array = Uint8Array.from(
  { length: 256 },
  (_, byte) => [QUOTE, BACKSLASH, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST].includes(byte) ? 1 : 0,
);

/** Whether a byte belongs to the UTF-8 byte order mark, at position `here`. */
function isMark(byte: number, here: number): boolean {
  return byte === [0xef, 0xbb, 0xbf][here];
}

/** Whether a value other than an object may begin with a byte. */
function begins(byte: number): boolean {
  return byte === QUOTE || byte === OPEN_LIST || /[-0-9tfn]/.test(String.fromCharCode(byte));
}
