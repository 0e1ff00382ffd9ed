/**
 * Parquet files of a store as rows, read a group of rows at a time.
 * @module
 */
import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  type RowGroup,
} from "hyparquet/src/index.js";
import { AttuneError, badFile, badValue, refusePointer } from "../../core/errors.ts";
import { sha256 } from "../../core/fingerprint.ts";
import { checkedPages, checkMetadata } from "./parquet_checks.ts";
import type { Row, Rows, Store } from "../../core/types.ts";

/** Bytes that are hashed at once. */
const PIECE = 4 * 2 ** 20;

/** One file: its name in messages, and where it is. */
export type ParquetPlace = Readonly<{ name: string; store: Store; key: string }>;

/** A group of rows of a file, by the numbers of its rows within all files. */
type Group = Readonly<{ file: number; rowGroup: RowGroup; from: number; first: number; count: number }>;

/** The rows of files, one after the other; the last group that was read is kept. Throws AttuneError where one is broken. */
export async function openParquet(places: readonly ParquetPlace[], columns: readonly string[] | null): Promise<Rows> {
  const files: { place: ParquetPlace; buffer: AsyncBuffer; metadata: FileMetaData }[] = [];
  const groups: Group[] = [];
  const digests: string[] = [];
  let length = 0;
  for (const place of places) {
    const buffer = await bufferOf(place);
    refusePointer("parquet", place.name, new Uint8Array(await buffer.slice(0, Math.min(64, buffer.byteLength))));
    const metadata = await read(place, async () => {
      const metadata = await parquetMetadataAsync(buffer);
      checkMetadata(metadata, buffer.byteLength);
      return metadata;
    });
    checkColumns(place, metadata, columns);
    let from = 0;
    for (const rowGroup of metadata.row_groups) {
      const count = Number(rowGroup.num_rows);
      groups.push({ file: files.length, rowGroup, from, first: length, count });
      from += count;
      length += count;
    }
    files.push({ place, buffer, metadata });
    digests.push(await digestOf(place, buffer));
  }
  let cached: Readonly<{ group: Group; rows: Promise<readonly Row[]> }> | undefined;
  const rowsOf = (group: Group): Promise<readonly Row[]> => {
    if (cached?.group === group) return cached.rows;
    const { place, buffer, metadata } = files[group.file] as (typeof files)[number];
    const rows = read(place, async () => {
      const records = await parquetReadObjects({
        file: checkedPages(buffer, group.rowGroup),
        metadata,
        rowStart: group.from,
        rowEnd: group.from + group.count,
        ...(columns ? { columns: [...columns] } : {}),
      });
      return records.map((row) => plain(row) as Row);
    });
    cached = { group, rows };
    return rows;
  };
  const groupOf = (index: number): Group | undefined =>
    groups.find(({ first, count }) => index >= first && index < first + count);
  return {
    length,
    fingerprint: await sha256(JSON.stringify([digests, columns])),
    read: async function* (from) {
      let at = from?.at ?? 0;
      for (const group of groups) {
        if (at >= group.first + group.count) continue;
        for (const row of (await rowsOf(group)).slice(at - group.first)) yield { row, next: { at: ++at } };
      }
    },
    at: async (indices) => {
      const selected: Row[] = [];
      for (const index of indices) {
        const group = Number.isInteger(index) ? groupOf(index) : undefined;
        const row = group && (await rowsOf(group))[index - group.first];
        if (!row) throw badValue("parquet", "row", index, `a row from 0 to ${length - 1}`);
        selected.push(row);
      }
      return selected;
    },
  };
}

async function bufferOf({ name, store, key }: ParquetPlace): Promise<AsyncBuffer> {
  const first = await store.get(key, { offset: 0, length: 0 });
  if (!first) throw badFile("parquet", name, "does not exist");
  const { size, revision } = first;
  return {
    byteLength: size,
    slice: async (start, end = size) => {
      const from = start < 0 ? size + start : start;
      const slice = await store.get(key, { offset: from, length: Math.max(0, end - from) });
      if (slice?.revision !== revision) throw badFile("parquet", name, "changed while it was read");
      return Uint8Array.from(slice.bytes).buffer;
    },
  };
}

/** SHA-256 over the SHA-256 of each 4 MiB. */
async function digestOf(place: ParquetPlace, { byteLength, slice }: AsyncBuffer): Promise<string> {
  const digests: string[] = [];
  for (let offset = 0; offset < byteLength; offset += PIECE) {
    digests.push(await sha256(new Uint8Array(await slice(offset, Math.min(byteLength, offset + PIECE)))));
  }
  return await sha256(`${place.key} ${digests.join()}`);
}

async function read<T>({ name }: ParquetPlace, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (cause) {
    if (cause instanceof AttuneError) throw cause;
    throw badFile("parquet", name, `cannot be read as Parquet (${cause instanceof Error ? cause.message : cause})`);
  }
}

function checkColumns({ name }: ParquetPlace, { schema }: FileMetaData, columns: readonly string[] | null): void {
  const there = topColumns(schema);
  const lacking = columns?.find((column) => !there.includes(column));
  if (lacking !== undefined) throw badValue("parquet", "columns", lacking, `a column of ${name}: ${there.join(", ")}`);
}

/** The schema lists a tree depth first, each node with its number of children. */
function topColumns(schema: FileMetaData["schema"]): string[] {
  const names: string[] = [];
  const skip = (at: number): number => {
    let next = at + 1;
    for (let i = 0; i < (schema[at]?.num_children ?? 0); i++) next = skip(next);
    return next;
  };
  for (let at = 1; at < schema.length; at = skip(at)) names.push(schema[at]?.name ?? "");
  return names;
}

/** Values as JSON has them: 64-bit integers as numbers where they are exact, dates as text. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (value instanceof Date) return value.toISOString();
  if (ArrayBuffer.isView(value)) return value instanceof BigInt64Array ? Array.from(value, plain) : value;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]));
  }
  return value ?? null;
}
