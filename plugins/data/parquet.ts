/**
 * Parquet files.
 * @module
 */
import * as v from "valibot";
import { type FilesOptions, filesOptions, openFiles, placeOf } from "../../blocks/data/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { openParquet } from "./parquet/file.ts";

/** Options of {@link parquet}. */
export interface ParquetOptions extends FilesOptions {
  /** The columns to read; null: all. */
  readonly columns: readonly string[] | null;
}

type Input = Partial<ParquetOptions> & Pick<ParquetOptions, "path">;

/**
 * Rows of Parquet files in any of its usual codecs (none, Snappy, gzip, Zstandard, Brotli, LZ4), read a group of rows
 * at a time. 64-bit integers are numbers if they are exact and otherwise strings, dates are ISO 8601 strings, and
 * missing values are null. Class names that `datasets` has written are those of the labels.
 *
 * @throws AttuneError from `open` if a file does not exist or is not Parquet, or lacks a column.
 * @example
 * ```ts
 * import { parquet } from "attune/data/parquet";
 * console.assert(parquet({ path: "./train.parquet", columns: ["text", "label"] }).name === "parquet");
 * ```
 */
export const parquet: Factory<"data", Input> = define({
  kind: "data",
  name: "parquet",
  schema: v.strictObject({
    ...filesOptions,
    columns: v.optional(v.nullable(v.pipe(v.array(v.string()), v.minLength(1))), null),
  }),
  create: ({ path, split, columns }: ParquetOptions) => ({
    open: async (host) =>
      await openFiles(
        { plugin: "parquet", path, split, endings: [".parquet"] },
        host,
        (file) => openParquet(placeOf("parquet", file, host), columns),
      ),
  }),
});
