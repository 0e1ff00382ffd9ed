/**
 * Comma-separated values.
 * @module
 */
import * as v from "valibot";
import { type FilesOptions, filesOptions, openFiles, placeOf } from "../../blocks/data/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { openCsv } from "./csv/table.ts";

/** Options of {@link csv}. */
export interface CsvOptions extends FilesOptions {
  /** The character between values; null: whichever of `,`, `;`, tab and `|` divides the first lines evenly. */
  readonly delimiter: string | null;
  /** Names of the columns; null: they are in the first line. */
  readonly columns: readonly string[] | null;
  /** As in Python's `csv`: with 0, 1 and 2, values may be quoted; with 3, a quote is an ordinary character. */
  readonly quoting: 0 | 1 | 2 | 3;
  /**
   * The encoding, if it is not UTF-8 and there is no byte order mark: `latin1`, `cp1252`, `utf-16le`, `shift_jis`, ...
   */
  readonly encoding: string;
}

type Input = Partial<CsvOptions> & Pick<CsvOptions, "path">;

/** The web's names for Python's encodings, where they differ. */
const names: Readonly<Record<string, string>> = { "latin-1": "latin1", "utf-8-sig": "utf-8", "utf-16": "utf-16le" };

/** Returns the web's name of an encoding. */
const webName = (name: string): string => {
  const plain = name.trim().toLowerCase().replaceAll("_", "-");
  return names[plain] ?? (isEncoding(plain) ? plain : name.trim().toLowerCase());
};

/**
 * Rows of CSV files (RFC 4180; `.csv`, `.tsv`, packed or not) of any size; every value is a string, and lines that are
 * empty or blank are skipped.
 *
 * @throws AttuneError from `open` with the line's number where a quote stays open or a row has other columns.
 * @example
 * ```ts
 * import { csv } from "attune/data/csv";
 * console.assert(csv({ path: ["./a.tsv", "./b.csv.gz"], encoding: "latin1" }).name === "csv");
 * ```
 */
export const csv: Factory<"data", Input> = define({
  kind: "data",
  name: "csv",
  schema: v.strictObject({
    ...filesOptions,
    // Papa Parse would silently replace these by a comma.
    delimiter: v.optional(
      v.nullable(v.pipe(v.string(), v.regex(/^[^\r\n"\uFEFF]+$/, "no line break, quote or empty text"))),
      null,
    ),
    columns: v.optional(
      v.nullable(
        v.pipe(
          v.array(v.string()),
          v.check((names) => names.length > 0 && new Set(names).size === names.length, "names of columns, each once"),
        ),
      ),
      null,
    ),
    quoting: v.optional(v.picklist([0, 1, 2, 3]), 0),
    encoding: v.optional(
      v.pipe(v.string(), v.check((name) => isEncoding(webName(name)), "an encoding that this runtime can read")),
      "utf-8",
    ),
  }),
  create: ({ path, split, delimiter, columns, quoting, encoding }: CsvOptions) => ({
    open: async (host) =>
      await openFiles(
        { plugin: "csv", path, split, endings: [".csv", ".tsv"] },
        host,
        (file) =>
          openCsv(placeOf("csv", file, host), {
            delimiter,
            columns,
            quoting: quoting !== 3,
            encoding: webName(encoding),
          }),
      ),
  }),
});

function isEncoding(name: string): boolean {
  try {
    return new TextDecoder(name).encoding !== "";
  } catch {
    return false;
  }
}
