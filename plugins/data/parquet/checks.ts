/**
 * Checks a Parquet file's metadata against its bytes before a reader uses it: sizes that lead backwards or out of the
 * file, and inconsistent counts, would keep the reader busy forever.
 */
import type { AsyncBuffer, FileMetaData, RowGroup } from "hyparquet/src/index.js";
import { parquetHeader } from "hyparquet/src/column.js";
import { countWithin } from "../../../blocks/data/mod.ts";

/** Limits of a row group, which is read whole: rows, values of all columns, decompressed bytes. */
const [MAX_ROWS, MAX_VALUES, MAX_BYTES] = [2 ** 24, 2 ** 27, 2 ** 30];

/** The largest number of pages of a column in a row group. */
const MAX_PAGES = 1_000_000;

/** Throws Error if a file's metadata cannot be true for a file of `byteLength` bytes. */
export function checkMetadata({ schema, row_groups: groups }: FileMetaData, byteLength: number): void {
  checkTree(schema);
  for (const { num_rows, columns } of groups) {
    countWithin("rows of a group", Number(num_rows), MAX_ROWS);
    let values = 0;
    for (const { meta_data: meta } of columns) {
      if (!meta) continue;
      const start = startOf(meta);
      const end = start + Number(meta.total_compressed_size);
      values += countWithin("values of a column", Number(meta.num_values), MAX_VALUES - values);
      countWithin("the place of a column", start, byteLength);
      countWithin("the end of a column", end - start, byteLength - start);
      if (isFlat(schema, meta.path_in_schema) && meta.num_values !== num_rows) {
        throw new Error(`column ${meta.path_in_schema.join(".")} has ${meta.num_values} values for ${num_rows} rows`);
      }
    }
  }
}

/** Returns a row group's file whose pages are checked when read. Its `slice` rejects with Error if one is invalid. */
export function checkedPages(file: AsyncBuffer, { columns }: RowGroup): AsyncBuffer {
  // A column's pages may be read more than once.
  const unpacked = new Map<number, number>();
  const chunks = columns.flatMap(({ meta_data: meta }) => {
    if (!meta) return [];
    const start = startOf(meta);
    return [{ start, end: start + Number(meta.total_compressed_size), values: Number(meta.num_values) }];
  });
  return {
    byteLength: file.byteLength,
    slice: async (start, end = file.byteLength) => {
      const buffer = await file.slice(start, end);
      for (const chunk of chunks) {
        if (chunk.start < start || chunk.end > start + buffer.byteLength) continue;
        const view = new DataView(buffer, chunk.start - start, chunk.end - chunk.start);
        unpacked.set(chunk.start, checkPages(view, chunk.values));
        countWithin("unpacked bytes of a group", [...unpacked.values()].reduce((sum, bytes) => sum + bytes), MAX_BYTES);
      }
      return buffer;
    },
  };
}

/** Returns the decompressed size of a column's pages, after checking them. */
function checkPages(view: DataView<ArrayBuffer>, values: number): number {
  const reader = { view, offset: 0 };
  let [count, unpacked] = [0, 0];
  // Ends like the reader: a single last byte is not a page.
  for (let page = 0; count < values && reader.offset < view.byteLength - 1; page++) {
    countWithin("pages of a column", page, MAX_PAGES);
    const header = parquetHeader(reader);
    const [packed, size] = [Number(header.compressed_page_size), Number(header.uncompressed_page_size)];
    countWithin("bytes of a page", packed, view.byteLength - reader.offset);
    countWithin(
      "unpacked bytes of a column",
      unpacked += countWithin("unpacked bytes of a page", size, MAX_BYTES),
      MAX_BYTES,
    );
    reader.offset += packed;
    const { data_page_header: v1, data_page_header_v2: v2, dictionary_page_header: dictionary } = header;
    if (header.type === "DICTIONARY_PAGE") {
      // A value has at least a bit.
      countWithin("values of a dictionary", dictionary?.num_values ?? 0, 8 * size);
      continue;
    }
    const pageValues = header.type === "DATA_PAGE_V2" ? v2?.num_values : v1?.num_values;
    count += countWithin("values of a page", pageValues ?? 0, values - count);
    if (header.type !== "DATA_PAGE_V2" || !v2) continue;
    countWithin("rows of a page", v2.num_rows, v2.num_values);
    const levels = countWithin("bytes of levels", v2.definition_levels_byte_length, packed);
    countWithin("bytes of levels", v2.repetition_levels_byte_length, packed - levels);
  }
  if (count !== values) throw new Error(`a column's pages have ${count} values, its metadata says ${values}`);
  return unpacked;
}

/** Throws Error unless each element has as many children as it says, and there are no others. */
function checkTree(schema: FileMetaData["schema"]): void {
  let open = 1;
  for (const { num_children: children = 0 } of schema) {
    if (open === 0) throw new Error("the schema has elements that belong to none");
    open += countWithin("children of a schema element", children, schema.length) - 1;
  }
  if (open !== 0) throw new Error("the schema ends too early");
}

function isFlat(schema: FileMetaData["schema"], path: readonly string[]): boolean {
  if (path.length !== 1) return false;
  return schema.find(({ name }, i) => i > 0 && name === path[0])?.repetition_type !== "REPEATED";
}

function startOf(
  { dictionary_page_offset: dictionary, data_page_offset: data }: Readonly<
    { dictionary_page_offset?: bigint; data_page_offset: bigint }
  >,
): number {
  return Number(dictionary || data);
}
