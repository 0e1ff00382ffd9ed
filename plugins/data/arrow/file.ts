/** Arrow files as rows, one record batch at a time. */
import { classesIn, digestsOf, type FilePlace, plain, refuseTwice } from "../../../blocks/data/mod.ts";
import { joinBytes } from "../../../core/base/bytes.ts";
import { AttuneError, badFile, badValue, refuseLfsPointer } from "../../../core/base/errors.ts";
import { sha256 } from "../../../core/base/sha256.ts";
import type { Row, Rows } from "../../../core/types.ts";
import { unpackLz4Frame } from "./lz4_frame.ts";
import { type ArrowMessage, arrowMessages, type ReadBytes, unpackedBytes } from "./messages.ts";

type Batch = Readonly<{
  length: number;
  offsets?: ArrayLike<number | bigint> | undefined;
  values?: ArrayLike<unknown> | undefined;
  children?: readonly Batch[] | undefined;
  type: Readonly<{ typeId: number }>;
}>;

type Flechette = typeof import("@uwdata/flechette");

/** Opens the rows of an Arrow file, keeping the batch read last. Throws AttuneError if it is damaged. */
export async function openArrow(place: FilePlace): Promise<Rows> {
  const first = await place.store.get(place.key, { offset: 0, length: 64 });
  if (!first) throw badFile("arrow", place.name, "does not exist");
  refuseLfsPointer("arrow", place.name, first.bytes);
  const read: ReadBytes = async (offset, length) => {
    const part = await place.store.get(place.key, { offset, length });
    if (part?.revision !== first.revision) throw badFile("arrow", place.name, "changed while it was read");
    if (part.bytes.length < length) throw badFile("arrow", place.name, "ends too early");
    return part.bytes;
  };
  const library = await import("@uwdata/flechette");
  const messages = await checked(place, () => arrowMessages(read, first.size));
  if (messages.some(({ isPacked }) => isPacked)) await addCodecs(library);
  /** Reads a message; if it is compressed, its sizes are checked. */
  const whole = async (message: ArrowMessage): Promise<Uint8Array> => {
    const bytes = await read(message.at, message.size);
    if (message.isPacked) unpackedBytes(bytes, message);
    return bytes;
  };
  const groups = messages.filter(({ kind }) => kind === "rows");
  const firsts = startsOf(groups);
  const length = firsts.at(-1) ?? 0;
  const begin = await checked(place, async () => {
    const others = messages.filter(({ kind }) => kind !== "rows").map(async (message) => {
      const bytes = await whole(message);
      return message.isBare ? joinBytes([lengthOf(message.size), bytes]) : bytes;
    });
    return joinBytes(await Promise.all(others));
  });
  const table = await checked(place, () => Promise.resolve(tableOf(library, [begin])));
  refuseTwice("arrow", place.name, table.schema.fields.map(({ name }) => name));
  const fields = table.schema.fields.filter(({ type }) => isList(type));
  let cached: Readonly<{ group: number; rows: Promise<readonly Row[]> }> | undefined;
  const rowsOf = (group: number): Promise<readonly Row[]> => {
    if (cached?.group === group) return cached.rows;
    const rows = checked(place, async () => {
      const message = groups[group] as ArrowMessage;
      const { count } = message;
      const table = tableOf(library, [begin, await whole(message)]);
      for (const { data } of table.children) for (const batch of data) checkBatch(batch, count);
      const rows = table.toArray();
      if (rows.length !== count) throw new Error(`a group has ${rows.length} rows, it says ${count}`);
      return rows.map((row) => withLists(plain(row) as Row, fields));
    });
    cached = { group, rows };
    return rows;
  };
  const groupOf = (index: number): number => firsts.findLastIndex((from) => from <= index);
  return {
    length,
    fingerprint: await sha256((await digestsOf(place, { ...first, read })).join()),
    ...classesIn(table.schema.metadata?.get("huggingface")),
    read: async function* (from) {
      let at = from?.at ?? 0;
      for (let group = Math.max(0, groupOf(at)); group < groups.length; group++) {
        for (const row of (await rowsOf(group)).slice(at - (firsts[group] ?? 0))) yield { row, next: { at: ++at } };
      }
    },
    at: async (indices) => {
      const selected: Row[] = [];
      for (const index of indices) {
        const group = Number.isInteger(index) && index < length ? groupOf(index) : -1;
        const row = group < 0 ? undefined : (await rowsOf(group))[index - (firsts[group] ?? 0)];
        if (!row) throw badValue("arrow", "row", index, `a row from 0 to ${length - 1}`);
        selected.push(row);
      }
      return selected;
    },
  };
}

/** Arrow's type ids of lists. */
const LISTS: readonly number[] = [12, 16, 21, 25, 26];

const isList = ({ typeId }: Readonly<{ typeId: number }>): boolean => LISTS.includes(typeId);

/** Returns a row whose lists of small numbers are arrays: only their type distinguishes them from bytes. */
function withLists(row: Row, lists: readonly Readonly<{ name: string }>[]): Row {
  const bytes = lists.flatMap(({ name }) => {
    const value = row[name];
    return value instanceof Uint8Array ? [[name, Array.from(value)]] : [];
  });
  return bytes.length > 0 ? { ...row, ...Object.fromEntries(bytes) } : row;
}

/** Returns the number of each batch's first row, followed by the number of all rows. */
function startsOf(groups: readonly ArrowMessage[]): readonly number[] {
  const firsts = [0];
  for (const { count } of groups) firsts.push((firsts.at(-1) ?? 0) + count);
  return firsts;
}

/** Throws Error if a column's offsets leave its values: a reader would follow them until memory ends. */
function checkBatch({ length, offsets, values, children, type }: Batch, count: number): void {
  if (length !== count) throw new Error(`a column has ${length} values for ${count} rows`);
  const [inner] = children ?? [];
  if (offsets) {
    if (offsets.length < count + 1) throw new Error(`a column has ${offsets.length} offsets for ${count} rows`);
    const end = inner ? inner.length : values?.length ?? 0;
    let last = 0;
    for (let i = 0; i <= count; i++) {
      const offset = Number(offsets[i]);
      if (!(offset >= last && offset <= end)) throw new Error(`an offset ${offset} is not from ${last} to ${end}`);
      last = offset;
    }
  } else if (inner === undefined && values && "at" in values && "BYTES_PER_ELEMENT" in values) {
    // An element may hold several values (bits), or be a part of a wide number.
    const bits = 8 * values.length * Number(values.BYTES_PER_ELEMENT);
    if (bits < count) throw new Error(`a column has ${bits} bits for ${count} values`);
  }
  const size = (type as Readonly<{ stride?: number }>).stride ?? 1;
  for (const child of children ?? []) {
    const least = offsets ? child.length : inner && isFixedList(type) ? count * size : count;
    if (child.length < least) throw new Error(`a column has ${child.length} values for ${least} places`);
    checkBatch(child, child.length);
  }
}

/** Whether a column's rows are lists of fixed length. */
function isFixedList({ typeId }: Readonly<{ typeId: number }>): boolean {
  return typeId === 16;
}

/** Registers decompression with the reader, which checks that each buffer has the size in its header. */
async function addCodecs({ CompressionType, setCompressionCodec }: Flechette): Promise<void> {
  const { decompress } = await import("fzstd");
  const encode = (): never => {
    throw new Error("nothing is packed");
  };
  setCompressionCodec(CompressionType.LZ4_FRAME, { encode, decode: unpackLz4Frame });
  setCompressionCodec(CompressionType.ZSTD, {
    encode,
    decode: (bytes, length) => {
      let cause: unknown;
      try {
        const values = decompress(bytes, new Uint8Array(length));
        if (values.length === length) return values;
      } catch (error) {
        cause = error;
      }
      throw new Error(`what is packed with Zstandard does not have the ${length} bytes that its header says`, {
        cause,
      });
    },
  });
}

/** Returns the prefix of a message of `bytes` bytes. */
const lengthOf = (bytes: number): Uint8Array => new Uint8Array(Int32Array.of(-1, bytes).buffer);

/** The end-of-stream marker. */
const END = Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0);

function tableOf({ tableFromIPC }: Flechette, parts: readonly Uint8Array[]): ReturnType<Flechette["tableFromIPC"]> {
  return tableFromIPC(joinBytes([...parts, END]), { useBigInt: true, useDate: true });
}

async function checked<T>({ name }: FilePlace, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (cause) {
    if (cause instanceof AttuneError) throw cause;
    throw badFile("arrow", name, `cannot be read as Arrow (${cause instanceof Error ? cause.message : cause})`);
  }
}
