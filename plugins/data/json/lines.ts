/** JSON Lines files as rows, parsed as they are read. */
import {
  type FilePlace,
  openLineRows,
  openTextFile,
  type StreamedRow,
  streamedRows,
} from "../../../blocks/data/mod.ts";
import { badFile, badValue } from "../../../core/base/errors.ts";
import type { Row, Rows } from "../../../core/types.ts";
import { parseValue } from "./value.ts";

/**
 * Opens a file with one JSON object per line. Throws AttuneError with the line's number if a line is something else;
 * for a large file only if the line's first or last byte is wrong, otherwise when the row is read.
 */
export async function openJsonLines(plugin: string, place: FilePlace): Promise<Rows> {
  const large = await openLineRows(plugin, place, {
    rowOf: (line, where) => rowOf(plugin, line.trim(), where),
    check: (first, last, where) => {
      if (first !== 123 || last !== 125) {
        throw badFile(plugin, where, "is not JSON: an object begins with { and ends with }");
      }
    },
  });
  if (large) return large;
  return await streamedRows(async () => {
    const file = await openTextFile(plugin, place);
    return { rows: rowsIn(plugin, file.lines(), place.name), fingerprint: file.fingerprint };
  });
}

async function* rowsIn(
  plugin: string,
  lines: AsyncIterable<Readonly<{ number: number; text: string }>>,
  path: string,
): AsyncGenerator<StreamedRow> {
  for await (const { number, text } of lines) {
    const [line, where] = [text.trim(), `${path}, line ${number}`];
    if (line !== "") yield { row: rowOf(plugin, line, where), where, size: text.length };
  }
}

function rowOf(plugin: string, line: string, where: string): Row {
  const row = parseValue(plugin, line, where);
  if (typeof row !== "object" || row === null || Array.isArray(row)) throw badValue(plugin, where, row, "an object");
  return row as Row;
}
