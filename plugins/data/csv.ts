/**
 * Comma-separated values, over Papa Parse.
 * @module
 */
import Papa from "papaparse";
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
 * @throws AttuneError from `open` with the row's number where a quote stays open or a row has other columns.
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
      const { data, errors } = Papa.parse<string[]>(text, { delimiter, skipEmptyLines: true });
      const error = errors[0];
      if (error) throw badFile("csv", `${path}, row ${(error.row ?? 0) + 1}`, error.message);
      const names = columns ?? data.shift() ?? [];
      const rows = data.map((record, i): Row => {
        if (record.length !== names.length) {
          throw badFile(
            "csv",
            `${path}, row ${i + (columns ? 1 : 2)}`,
            `has ${record.length} values for ${names.length} columns`,
          );
        }
        return Object.fromEntries(names.map((name, k) => [name, record[k] ?? ""]));
      });
      return rowsInMemory(rows, fingerprint);
    },
  }),
});
