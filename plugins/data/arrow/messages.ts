/** The messages of an Arrow file: offsets of its schema, dictionaries and record batches, without reading rows. */
import { countWithin } from "../../../blocks/data/mod.ts";

/** A message with its body: its offset, size and kind. */
export type ArrowMessage = Readonly<{
  kind: "schema" | "dictionary" | "rows";
  at: number;
  size: number;
  /** The number of rows in a batch. */
  count: number;
  /** Whether its values are compressed; `unpackedBytes` returns their size. */
  isPacked?: boolean;
  /** Whether it lacks the prefix with continuation marker and length. */
  isBare?: boolean;
}>;

/** Reads a range of a file. */
export type ReadBytes = (offset: number, length: number) => Promise<Uint8Array>;

/** The largest size of a message's metadata, and of a whole message, in bytes. */
const [MAX_HEADER, MAX_MESSAGE] = [16 * 2 ** 20, 2 ** 30];

/** The largest decompressed size of a message's values, in bytes. */
const MAX_UNPACKED = 2 ** 30;

const CONTINUES = 0xffffffff;

/**
 * Lists the messages of a file of `size` bytes, in Arrow's streaming format or in its file format, whose footer has
 * their offsets. Throws Error if it is damaged.
 */
export async function arrowMessages(read: ReadBytes, size: number): Promise<readonly ArrowMessage[]> {
  const begin = new TextDecoder("latin1").decode(await read(0, Math.min(8, size)));
  const isFile = begin.startsWith(MAGIC);
  const placed = isFile ? await placesIn(read, size) : undefined;
  const messages: ArrowMessage[] = [];
  if (placed) {
    const { ends, places } = placed;
    messages.push(await schemaAt(read, 8, Math.min(ends, ...places)));
    for (const at of places) messages.push(await messageAt(read, at, ends) ?? refuseEmpty());
  } else {
    for (let at = isFile ? 8 : 0; at + 8 <= size;) {
      const message = await messageAt(read, at, size);
      if (!message) break;
      messages.push(message);
      at += message.size;
    }
  }
  if (messages[0]?.kind !== "schema") throw new Error("it does not begin with a schema");
  return messages;
}

/** First and last bytes of the file format. */
const MAGIC = "ARROW1";

/** Reads the message at an offset; undefined for an end-of-stream marker. `end`: where the messages end. */
async function messageAt(read: ReadBytes, at: number, end: number): Promise<ArrowMessage | undefined> {
  const { head, length } = prefixOf(viewOf(await read(at, 8)));
  if (length === 0) return undefined;
  countWithin("bytes of a message's description", length, Math.min(MAX_HEADER, end - at - head));
  const { body, ...known } = described(await read(at + head, length));
  countWithin("bytes of a message", body, Math.min(MAX_MESSAGE, end - at - head - length));
  return { ...known, at, size: head + length + body };
}

/** Parses a message's prefix: its own size (`head`), and the size of the message's metadata (`length`). */
function prefixOf(view: DataView): Readonly<{ head: number; length: number }> {
  // Before Arrow 0.15 the prefix was only the length.
  const isOld = view.getUint32(0, true) !== CONTINUES;
  return isOld ? { head: 4, length: view.getInt32(0, true) } : { head: 8, length: view.getInt32(4, true) };
}

/**
 * Returns the decompressed size of a message's values. Throws Error if it is too large, smaller than its rows need, or
 * if buffers are outside of the message.
 */
export function unpackedBytes(message: Uint8Array, { count }: ArrowMessage): number {
  const { head, length } = prefixOf(viewOf(message));
  const description = viewOf(message.subarray(head, head + length));
  const body = viewOf(message.subarray(head + length));
  const batch = batchOf(description);
  const { from, count: buffers } = vectorOf(description, fieldOf(description, batch, 2), 16);
  let total = 0;
  for (let i = 0; i < buffers; i++) {
    const at = countWithin(
      "the place of values",
      Number(description.getBigInt64(from + 16 * i, true)),
      body.byteLength,
    );
    const left = body.byteLength - at;
    const size = countWithin("bytes of values", Number(description.getBigInt64(from + 16 * i + 8, true)), left);
    if (size === 0) continue;
    countWithin("bytes of a length", 8, size);
    const unpacked = Number(body.getBigInt64(at, true));
    // -1: the buffer is not compressed.
    total += countWithin("unpacked bytes of a group", unpacked === -1 ? size - 8 : unpacked, MAX_UNPACKED - total);
  }
  countWithin("rows of a group", count, mostRows(total));
  return total;
}

/** Returns the most rows that fit: a value has at least a bit; tables without columns have no bytes at all. */
function mostRows(bytes: number): number {
  return 8 * Math.max(0, bytes) + 2 ** 16;
}

/** Smaller first words are offsets into a message, not lengths: Polars writes a file's schema without its length. */
const LEAST_LENGTH = 64;

/** Reads the schema of a file, which ends where the first other message begins. */
async function schemaAt(read: ReadBytes, at: number, end: number): Promise<ArrowMessage> {
  const first = viewOf(await read(at, 8)).getUint32(0, true);
  if (first === CONTINUES || first >= LEAST_LENGTH) return await messageAt(read, at, end) ?? refuseEmpty();
  const length = countWithin("bytes of a schema", end - at, MAX_HEADER);
  return { kind: described(await read(at, length)).kind, at, size: length, count: 0, isBare: true };
}

function refuseEmpty(): never {
  throw new Error("a message is empty");
}

/** Returns the offsets of dictionaries, record batches and footer in the file format; undefined without footer. */
async function placesIn(
  read: ReadBytes,
  size: number,
): Promise<Readonly<{ places: readonly number[]; ends: number }> | undefined> {
  const tail = await read(Math.max(8, size - 10), Math.min(10, size - 8));
  if (new TextDecoder("latin1").decode(tail.subarray(4)) !== MAGIC) return undefined;
  const length = countWithin("bytes of the footer", viewOf(tail).getInt32(0, true), Math.min(MAX_HEADER, size - 18));
  const ends = size - 10 - length;
  const footer = viewOf(await read(ends, length));
  const places = [2, 3].flatMap((field) => {
    const { from, count } = vectorOf(footer, fieldOf(footer, footer.getUint32(0, true), field), 24);
    return Array.from(
      { length: count },
      (_, i) => countWithin("the place of a message", Number(footer.getBigInt64(from + 24 * i, true)), ends - 8),
    );
  });
  return { places, ends };
}

const kinds: Readonly<Record<number, ArrowMessage["kind"]>> = { 1: "schema", 2: "dictionary", 3: "rows" };

/** Parses a message's FlatBuffers table: field 1 is its kind, 2 its header, 3 the length of its body. */
function described(bytes: Uint8Array): Pick<ArrowMessage, "kind" | "count" | "isPacked"> & Readonly<{ body: number }> {
  const view = viewOf(bytes);
  const message = view.getUint32(0, true);
  const { kind, header } = headerOf(view);
  const wholeAt = (at: number): number => (at === 0 ? 0 : Number(view.getBigInt64(at, true)));
  const body = wholeAt(fieldOf(view, message, 3));
  if (kind === "schema") {
    const budget = { fields: MAX_FIELDS };
    for (const field of tablesIn(view, fieldOf(view, header, 1))) checkField(view, field, budget);
    checkTexts(view, fieldOf(view, header, 2));
    return { kind, body, count: 0 };
  }
  const batch = batchOf(view);
  for (const [index, size] of [[1, 16], [2, 16], [4, 8]] as const) vectorOf(view, fieldOf(view, batch, index), size);
  const isPacked = fieldOf(view, batch, 3) > 0;
  const count = countWithin(
    "rows of a group",
    wholeAt(fieldOf(view, batch, 0)),
    mostRows(isPacked ? MAX_UNPACKED : body),
  );
  return { kind, body, count, ...(isPacked ? { isPacked } : {}) };
}

/** Returns a message's kind, and the offset of its header. */
function headerOf(view: DataView): Readonly<{ kind: ArrowMessage["kind"]; header: number }> {
  const message = view.getUint32(0, true);
  const kindAt = fieldOf(view, message, 1);
  const kind = kinds[kindAt === 0 ? 0 : view.getUint8(kindAt)];
  if (!kind) throw new Error("a message is of no kind that tables have");
  const header = targetOf(view, fieldOf(view, message, 2));
  if (header === 0) throw new Error("a message has no header");
  return { kind, header };
}

/** Returns the offset of the record batch table of a message with rows or a dictionary's values. */
function batchOf(view: DataView): number {
  const { kind, header } = headerOf(view);
  const batch = kind === "rows" ? header : targetOf(view, fieldOf(view, header, 1));
  if (batch === 0) throw new Error("a dictionary has no values");
  return batch;
}

/** The largest number of columns and nested fields. */
const MAX_FIELDS = 100_000;

/** Checks a field and its nested fields: the lengths of their vectors must fit into the bytes. */
function checkField(view: DataView, field: number, budget: { fields: number }): void {
  if (--budget.fields < 0) throw new Error(`the schema has more than ${MAX_FIELDS} fields`);
  // A union lists its type ids.
  const typeAt = fieldOf(view, field, 2);
  const type = targetOf(view, fieldOf(view, field, 3));
  if (typeAt > 0 && view.getUint8(typeAt) === 14 && type > 0) vectorOf(view, fieldOf(view, type, 1), 4);
  for (const child of tablesIn(view, fieldOf(view, field, 5))) checkField(view, child, budget);
  checkTexts(view, fieldOf(view, field, 6));
}

/** Checks a vector of key-value pairs. */
function checkTexts(view: DataView, at: number): void {
  for (const pair of tablesIn(view, at)) {
    for (const part of [0, 1]) vectorOf(view, fieldOf(view, pair, part), 1);
  }
}

/** Returns the offset of a table's field; 0 if it is absent. */
function fieldOf(view: DataView, table: number, index: number): number {
  const layout = table - view.getInt32(table, true);
  const place = 4 + 2 * index;
  const offset = place < view.getUint16(layout, true) ? view.getUint16(layout + place, true) : 0;
  return offset === 0 ? 0 : table + offset;
}

/** Follows an offset to its target. */
function targetOf(view: DataView, at: number): number {
  return at === 0 ? 0 : at + view.getInt32(at, true);
}

/** Returns the offset of a vector's elements, and their number. Throws Error if they exceed the bytes. */
function vectorOf(view: DataView, at: number, size: number): Readonly<{ from: number; count: number }> {
  if (at === 0) return { from: 0, count: 0 };
  const from = targetOf(view, at) + 4;
  const count = view.getInt32(from - 4, true);
  countWithin("bytes of a vector", count * size, view.byteLength - from);
  return { from, count };
}

/** Returns the offsets of the tables in a vector. */
function tablesIn(view: DataView, at: number): number[] {
  const { from, count } = vectorOf(view, at, 4);
  return Array.from({ length: count }, (_, i) => targetOf(view, from + 4 * i));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
