/**
 * Comma-separated values, over csv-parse.
 * @module
 */
import { parse } from "csv-parse/browser/esm/sync";
import * as v from "valibot";
import { define } from "../../core/define.ts";
import { badFile } from "../../core/errors.ts";
import type { Factory, Row } from "../../core/types.ts";
import { readText, rowsInMemory } from "./rows.ts";

/** Options of {@link csv}. */
export interface CsvOptions {
  /** The file. */
  readonly path: string;
  /** What stands between values. */
  readonly delimiter: string;
  /** Names of the columns; null: the first line has them. */
  readonly columns: readonly string[] | null;
}

/** Schema of {@link CsvOptions}. */
export const csvSchema: v.GenericSchema<Partial<CsvOptions> & { path: string }, CsvOptions> = v.strictObject({
  path: v.string(),
  delimiter: v.optional(v.pipe(v.string(), v.minLength(1)), ","),
  columns: v.optional(v.nullable(v.array(v.string())), null),
});

/**
 * Rows of a CSV file (RFC 4180); every value is a string.
 *
 * @throws AttuneError from `open` with the line's number where a quote stays open or a row has other columns.
 * @example
 * ```ts
 * import { csv } from "attune/data/csv";
 * console.assert(csv({ path: "./rows.tsv", delimiter: "\t" }).name === "csv");
 * ```
 */
export const csv: Factory<"dataset", Partial<CsvOptions> & { path: string }> = define({
  kind: "dataset",
  name: "csv",
  schema: csvSchema,
  create: ({ path, delimiter, columns }) => ({
    open: async (host) => {
      const { text, fingerprint } = await readText("csv", path, host);
      let records: string[][];
      try {
        records = parse(text, { delimiter, skip_empty_lines: true, max_record_size: 64 * 2 ** 20 });
      } catch (cause) {
        throw badFile("csv", path, cause instanceof Error ? cause.message : String(cause));
      }
      const names = columns ?? records.shift() ?? [];
      const rows = records.map((record): Row => Object.fromEntries(names.map((name, i) => [name, record[i] ?? ""])));
      return rowsInMemory(rows, fingerprint);
    },
  }),
});
