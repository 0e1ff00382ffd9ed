/**
 * JSON lines.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import { badFile, badValue } from "../../core/errors.ts";
import type { Factory, Row } from "../../core/types.ts";
import { readText, rowsInMemory } from "./rows.ts";

/** Options of {@link jsonl}. */
export interface JsonlOptions {
  /** The file: one JSON object a line; empty lines are passed over. */
  readonly path: string;
}

/** Schema of {@link JsonlOptions}. */
export const jsonlSchema: v.GenericSchema<JsonlOptions, JsonlOptions> = v.strictObject({ path: v.string() });

/** Longer lines are refused: a file without line breaks is not JSON lines. */
const MAX_LINE = 64 * 2 ** 20;

/**
 * Rows of a file of JSON lines.
 *
 * @throws AttuneError from `open` with the line's number where one is not a JSON object.
 * @example
 * ```ts
 * import { jsonl } from "attune/data/jsonl";
 * console.assert(jsonl({ path: "./rows.jsonl" }).kind === "dataset");
 * ```
 */
export const jsonl: Factory<"dataset", JsonlOptions> = define({
  kind: "dataset",
  name: "jsonl",
  schema: jsonlSchema,
  create: ({ path }) => ({
    open: async (host) => {
      const { text, fingerprint } = await readText("jsonl", path, host);
      return rowsInMemory(parseJsonLines("jsonl", path, text), fingerprint);
    },
  }),
});

/** The rows of a text of JSON lines. Throws AttuneError with the line's number. */
export function parseJsonLines(plugin: string, path: string, text: string): Row[] {
  const rows: Row[] = [];
  let line = 0;
  for (let start = 0; start < text.length; line++) {
    let end = text.indexOf("\n", start);
    if (end < 0) end = text.length;
    if (end - start > MAX_LINE) {
      throw badFile(plugin, `${path}, line ${line + 1}`, `is longer than ${MAX_LINE} characters`);
    }
    const own = text.slice(start, end).trim();
    start = end + 1;
    if (own === "") continue;
    let row: unknown;
    try {
      row = JSON.parse(own);
    } catch (cause) {
      throw badFile(
        plugin,
        `${path}, line ${line + 1}`,
        `is not JSON (${cause instanceof Error ? cause.message : cause})`,
      );
    }
    if (typeof row !== "object" || row === null || Array.isArray(row)) {
      throw badValue(plugin, `${path}, line ${line + 1}`, row, "an object");
    }
    rows.push(row as Row);
  }
  return rows;
}
