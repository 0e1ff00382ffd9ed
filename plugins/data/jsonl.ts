/**
 * JSON lines.
 * @module
 */
import * as v from "valibot";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/define.ts";
import { type AttuneError, badFile, badValue } from "../../core/errors.ts";
import type { Cursor, Factory, Row, Rows } from "../../core/types.ts";
import { rowsInMemory } from "../../blocks/data/mod.ts";
import { openTextFile, type TextFile } from "../../blocks/data/mod.ts";

/** Options of {@link jsonl}. */
export interface JsonlOptions {
  /** The file: one JSON object a line; empty lines are passed over. */
  readonly path: string;
}

/** Schema of {@link JsonlOptions}. */
export const jsonlSchema: v.GenericSchema<JsonlOptions, JsonlOptions> = v.strictObject({
  path: role(v.string(), { role: "path" }),
});

/** Files of more bytes are read anew each time: as rows they take several times their size. */
const HELD = 16 * 2 ** 20;

/**
 * Rows of a file of JSON lines, parsed as they are read.
 *
 * @throws AttuneError from `open` with the line's number where one is not a JSON object, not UTF-8 or beyond 64 MiB.
 * @example
 * ```ts
 * import { jsonl } from "attune/data/jsonl";
 * console.assert(jsonl({ path: "./rows.jsonl" }).kind === "data");
 * ```
 */
export const jsonl: Factory<"data", JsonlOptions> = define({
  kind: "data",
  name: "jsonl",
  schema: jsonlSchema,
  create: ({ path }) => ({
    open: async (host) => {
      const file = await openTextFile("jsonl", path, host);
      const rows: Row[] = [];
      const lines: number[] = [];
      const isSmall = file.size <= HELD;
      let length = 0;
      for await (const { row, number } of rowsIn(file, path)) {
        length++;
        if (isSmall) {
          rows.push(row);
          lines.push(number);
        }
      }
      const fingerprint = await file.fingerprint();
      if (isSmall) return rowsInMemory(rows, fingerprint, (i) => `${path}, line ${lines[i]}`);
      const read = async function* (from?: Cursor): ReturnType<Rows["read"]> {
        let at = 0;
        for await (const { row, number } of rowsIn(await openTextFile("jsonl", path, host), path)) {
          if (at++ >= (from?.at ?? 0)) yield { row, next: { at }, where: `${path}, line ${number}` };
        }
      };
      return { length, fingerprint, read };
    },
  }),
});

async function* rowsIn(file: TextFile, path: string): AsyncGenerator<Readonly<{ row: Row; number: number }>> {
  for await (const { number, text } of file.lines()) {
    const line = text.trim();
    if (line !== "") yield { row: rowOf(line, `${path}, line ${number}`), number };
  }
}

function rowOf(line: string, where: string): Row {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch (cause) {
    if (line.startsWith("[")) throw anArray(where);
    throw badFile("jsonl", where, `is not JSON (${cause instanceof Error ? cause.message : cause})`);
  }
  if (Array.isArray(row)) throw anArray(where);
  if (typeof row !== "object" || row === null) throw badValue("jsonl", where, row, "an object");
  return row as Row;
}

/** A whole document under the name of lines. */
function anArray(where: string): AttuneError {
  return badFile(
    "jsonl",
    where,
    'is a JSON array, where each line is one object: read the file with { "use": "json" }',
  );
}
