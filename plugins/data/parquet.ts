/**
 * Parquet files.
 * @module
 */
import * as v from "valibot";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/define.ts";
import { missing } from "../../core/errors.ts";
import type { Factory } from "../../core/types.ts";
import { openParquet } from "./parquet_file.ts";

/** Options of {@link parquet}. */
export interface ParquetOptions {
  /** The file, or several whose rows follow each other. */
  readonly path: string | readonly string[];
  /** The columns that are read; null: all. */
  readonly columns: readonly string[] | null;
}

type Input = Partial<ParquetOptions> & { path: string | readonly string[] };

/** Schema of {@link ParquetOptions}. */
export const parquetSchema: v.GenericSchema<Input, ParquetOptions> = v.strictObject({
  path: role(v.union([v.string(), v.pipe(v.array(v.string()), v.minLength(1))]), { role: "path" }),
  columns: v.optional(v.nullable(v.pipe(v.array(v.string()), v.minLength(1))), null),
});

/**
 * Rows of Parquet files, uncompressed or compressed with Snappy, read a group of rows at a time. 64-bit integers are
 * numbers where they are exact and texts beyond, dates are texts (ISO 8601), what is missing is null.
 *
 * @throws AttuneError from `open` where a file does not exist or is not Parquet, or lacks a column.
 * @example
 * ```ts
 * import { parquet } from "attune/data/parquet";
 * console.assert(parquet({ path: "./train.parquet", columns: ["text", "label"] }).name === "parquet");
 * ```
 */
export const parquet: Factory<"data", Input> = define({
  kind: "data",
  name: "parquet",
  schema: parquetSchema,
  create: ({ path, columns }) => ({
    open: async (host) => {
      const { directory } = host;
      if (!directory) throw missing("parquet", "access to files", host.runtime);
      const places = (typeof path === "string" ? [path] : path).map((name) => {
        const full = host.resolve?.(name) ?? name;
        const cut = Math.max(full.lastIndexOf("/"), full.lastIndexOf("\\")) + 1;
        return { name, store: directory(full.slice(0, cut)), key: full.slice(cut) };
      });
      return await openParquet(places, columns);
    },
  }),
});
