/** Parquet files as rows, read one row group at a time. */
import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  type RowGroup,
} from "hyparquet/src/index.js";
import { AttuneError, badFile, badValue, refuseLfsPointer } from "../../../core/base/errors.ts";
import { sha256 } from "../../../core/base/sha256.ts";
import {
  classesIn,
  concatenatedRows,
  digestsOf,
  type FilePlace,
  plain,
  refuseTwice,
} from "../../../blocks/data/mod.ts";
import { codecsOf } from "./codecs.ts";
import { checkedPages, checkMetadata } from "./checks.ts";
import type { Row, Rows } from "../../../core/types.ts";

/** A row group, with the number of its first row. */
type Group = Readonly<{ rowGroup: RowGroup; from: number; count: number }>;

/** Opens the rows of several files, one after the other. Throws AttuneError if one is damaged. */
export async function openParquets(places: readonly FilePlace[], columns: readonly string[] | null): Promise<Rows> {
  const files: Rows[] = [];
  for (const place of places) files.push(await openParquet(place, columns));
  return await concatenatedRows(files);
}

/** Opens the rows of a file; the row group read last is kept. Throws AttuneError if the file is damaged. */
export async function openParquet(place: FilePlace, columns: readonly string[] | null): Promise<Rows> {
  const buffer = await bufferOf(place);
  refuseLfsPointer("parquet", place.name, new Uint8Array(await buffer.slice(0, Math.min(64, buffer.byteLength))));
  const end = await buffer.slice(Math.max(0, buffer.byteLength - 4), buffer.byteLength);
  if (new TextDecoder("latin1").decode(end) === ENCRYPTED) {
    throw badFile("parquet", place.name, `is encrypted: ${DECRYPT}`);
  }
  const metadata = await read(place, async () => {
    const metadata = await parquetMetadataAsync(buffer);
    checkMetadata(metadata, buffer.byteLength);
    return metadata;
  });
  checkColumns(place, metadata, columns);
  refuseEncrypted(place, metadata, columns);
  const groups: Group[] = [];
  let length = 0;
  for (const rowGroup of metadata.row_groups) {
    const count = Number(rowGroup.num_rows);
    groups.push({ rowGroup, from: length, count });
    length += count;
  }
  const compressors = await codecsOf(metadata);
  let cached: Readonly<{ group: Group; rows: Promise<readonly Row[]> }> | undefined;
  const rowsOf = (group: Group): Promise<readonly Row[]> => {
    if (cached?.group === group) return cached.rows;
    const rows = read(place, async () => {
      const records = await parquetReadObjects({
        file: checkedPages(buffer, group.rowGroup),
        metadata,
        rowStart: group.from,
        rowEnd: group.from + group.count,
        ...(compressors ? { compressors } : {}),
        ...(columns ? { columns: [...columns] } : {}),
      });
      return records.map((row) => plain(row) as Row);
    });
    cached = { group, rows };
    return rows;
  };
  const groupOf = (index: number): Group | undefined =>
    groups.find(({ from, count }) => index >= from && index < from + count);
  const features = metadata.key_value_metadata?.find(({ key }) => key === "huggingface")?.value;
  return {
    length,
    fingerprint: await sha256(JSON.stringify([[await digestOf(place, buffer)], columns])),
    ...classesIn(features, columns),
    read: async function* (from) {
      let at = from?.at ?? 0;
      for (const group of groups) {
        if (at >= group.from + group.count) continue;
        for (const row of (await rowsOf(group)).slice(at - group.from)) yield { row, next: { at: ++at } };
      }
    },
    at: async (indices) => {
      const selected: Row[] = [];
      for (const index of indices) {
        const group = Number.isInteger(index) ? groupOf(index) : undefined;
        const row = group && (await rowsOf(group))[index - group.from];
        if (!row) throw badValue("parquet", "row", index, `a row from 0 to ${length - 1}`);
        selected.push(row);
      }
      return selected;
    },
  };
}

/** A file's bytes, and its revision. */
type FileBuffer = AsyncBuffer & Readonly<{ revision: string }>;

async function bufferOf({ name, store, key }: FilePlace): Promise<FileBuffer> {
  const first = await store.get(key, { offset: 0, length: 0 });
  if (!first) throw badFile("parquet", name, "does not exist");
  const { size, revision } = first;
  return {
    byteLength: size,
    revision,
    slice: async (start, end = size) => {
      const from = start < 0 ? size + start : start;
      const slice = await store.get(key, { offset: from, length: Math.max(0, end - from) });
      if (slice?.revision !== revision) throw badFile("parquet", name, "changed while it was read");
      return Uint8Array.from(slice.bytes).buffer;
    },
  };
}

/** Returns the SHA-256 of the SHA-256 of each 4 MiB. */
async function digestOf(place: FilePlace, { byteLength: size, revision, slice }: FileBuffer): Promise<string> {
  const read = async (offset: number, length: number) => new Uint8Array(await slice(offset, offset + length));
  return await sha256(`${place.key} ${(await digestsOf(place, { size, revision, read })).join()}`);
}

async function read<T>({ name }: FilePlace, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (cause) {
    if (cause instanceof AttuneError) throw cause;
    throw badFile("parquet", name, `cannot be read as Parquet (${cause instanceof Error ? cause.message : cause})`);
  }
}

function checkColumns({ name }: FilePlace, { schema }: FileMetaData, columns: readonly string[] | null): void {
  const there = topColumns(schema);
  refuseTwice("parquet", name, there);
  const lacking = columns?.find((column) => !there.includes(column));
  if (lacking !== undefined) throw badValue("parquet", "columns", lacking, `a column of ${name}: ${there.join(", ")}`);
}

/** Last bytes of a file whose metadata is encrypted, too. */
const ENCRYPTED = "PARE";

/** Advice for encrypted files. */
const DECRYPT =
  'write it without encryption first (pyarrow: `pq.write_table(pq.read_table(path, decryption_properties=...), "plain.parquet")`)';

/** Throws AttuneError if one of the columns to read is encrypted; other columns can be read. */
function refuseEncrypted(
  { name }: FilePlace,
  { row_groups: groups }: FileMetaData,
  columns: readonly string[] | null,
): void {
  const locked = groups.flatMap((group) =>
    group.columns.flatMap(({ crypto_metadata: lock, meta_data: meta }) => {
      const [column = "of no known name"] = meta?.path_in_schema ?? [];
      return lock && (!meta || !columns || columns.includes(column)) ? [column] : [];
    })
  );
  if (locked.length === 0) return;
  throw badFile(
    "parquet",
    name,
    `has encrypted columns (${[...new Set(locked)].join(", ")}): leave them out with "columns", or ${DECRYPT}`,
  );
}

/** Returns the top-level columns. The schema is a depth-first tree, each node with its number of children. */
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
