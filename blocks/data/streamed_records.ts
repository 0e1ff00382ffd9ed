/** Records in streams of bytes, and rows of files without random access, such as compressed ones. */
import { joinBytes } from "../../core/base/bytes.ts";
import type { Cursor, Row, Rows } from "../../core/types.ts";
import { rowsInMemory } from "./rows.ts";

/** Finds the ends of records in pieces of bytes. `begun`: where the unfinished record begins. */
export type Cutter = Readonly<{ push(bytes: Uint8Array): void; end(): number; begun(): number }>;

/** Where a record begins and ends, counted from the first byte of the stream. */
type Place = Readonly<{ begin: number; end: number }>;

/** Returns the records of complete bytes, each with its bytes. */
export function recordsOf<R extends Place>(
  bytes: Uint8Array,
  cut: (onRecord: (record: R) => void) => Cutter,
): readonly Readonly<{ record: R; bytes: Uint8Array }>[] {
  const records: { record: R; bytes: Uint8Array }[] = [];
  const cutter = cut((record) => records.push({ record, bytes: bytes.subarray(record.begin, record.end) }));
  cutter.push(bytes);
  cutter.end();
  return records;
}

/** Yields the records of a stream, each with its bytes, which are only valid until the next record. */
export async function* recordsIn<R extends Place>(
  pieces: AsyncIterable<Uint8Array>,
  cut: (onRecord: (record: R) => void) => Cutter,
): AsyncGenerator<Readonly<{ record: R; bytes: Uint8Array }>> {
  let ready: R[] = [];
  const cutter = cut((record) => ready.push(record));
  let parts: Uint8Array[] = [];
  let from = 0;
  const take = function* (): Generator<Readonly<{ record: R; bytes: Uint8Array }>> {
    if (ready.length === 0) return;
    const whole = joinBytes(parts);
    for (const record of ready) yield { record, bytes: whole.subarray(record.begin - from, record.end - from) };
    const begun = cutter.begun();
    [ready, parts, from] = [[], [whole.subarray(begun - from)], begun];
  };
  for await (const piece of pieces) {
    cutter.push(piece);
    parts.push(piece);
    yield* take();
  }
  cutter.end();
  yield* take();
}

/** Larger files, or rows with more characters, are not kept in memory, where they take several times their size. */
export const HELD_BYTES: number = 16 * 2 ** 20;

/** A row of a stream, with its place for messages, and its number of characters. */
export type StreamedRow = Readonly<{ row: Row; where: string; size: number }>;

/** One pass over a file; its fingerprint is known at the end. */
export type Reading = Readonly<{ rows: AsyncIterable<StreamedRow>; fingerprint(): Promise<string> }>;

/**
 * Opens rows that can only be read from start to end: kept in memory if there are few, or else read again each time.
 */
export async function streamedRows(open: () => Promise<Reading>): Promise<Rows> {
  const rows: Row[] = [];
  const places: string[] = [];
  let [length, characters] = [0, 0];
  const first = await open();
  for await (const { row, where, size } of first.rows) {
    length++;
    characters += size;
    if (characters > HELD_BYTES) rows.length = places.length = 0;
    else {
      rows.push(row);
      places.push(where);
    }
  }
  const fingerprint = await first.fingerprint();
  if (characters <= HELD_BYTES) return rowsInMemory(rows, fingerprint, (i) => places[i] ?? "");
  const read = async function* (from?: Cursor): ReturnType<Rows["read"]> {
    let at = 0;
    for await (const { row, where } of (await open()).rows) {
      if (at++ >= (from?.at ?? 0)) yield { row, next: { at }, where };
    }
  };
  return { length, fingerprint, read };
}
