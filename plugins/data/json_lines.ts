/**
 * Files of JSON lines as rows, parsed as they are read.
 * @module
 */
import { type FilePlace, openLineRows, openTextFile, rowsInMemory } from "../../blocks/data/mod.ts";
import { badFile, badValue } from "../../core/errors.ts";
import type { Cursor, Row, Rows } from "../../core/types.ts";

/** Unpacked, larger files are read anew each time: as rows they take several times their size. */
const HELD = 16 * 2 ** 20;

/**
 * Rows of a file with one JSON object a line. Throws AttuneError with the line's number where one is something else; of a
 * large file, where it does not begin and end as one, and when it is read.
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
  const rows: Row[] = [];
  const lines: number[] = [];
  let isSmall = true;
  let [length, characters] = [0, 0];
  const file = await openTextFile(plugin, place);
  for await (const { row, number, size } of rowsIn(plugin, file.lines(), place.name)) {
    length++;
    characters += size;
    if (isSmall && characters > HELD) {
      isSmall = false;
      rows.length = lines.length = 0;
    }
    if (!isSmall) continue;
    rows.push(row);
    lines.push(number);
  }
  const fingerprint = await file.fingerprint();
  if (isSmall) return rowsInMemory(rows, fingerprint, (i) => `${place.name}, line ${lines[i]}`);
  const read = async function* (from?: Cursor): ReturnType<Rows["read"]> {
    let at = 0;
    for await (const { row, number } of rowsIn(plugin, (await openTextFile(plugin, place)).lines(), place.name)) {
      if (at++ >= (from?.at ?? 0)) yield { row, next: { at }, where: `${place.name}, line ${number}` };
    }
  };
  return { length, fingerprint, read };
}

type NumberedRow = Readonly<{ row: Row; number: number; size: number }>;

async function* rowsIn(
  plugin: string,
  lines: AsyncIterable<Readonly<{ number: number; text: string }>>,
  path: string,
): AsyncGenerator<NumberedRow> {
  for await (const { number, text } of lines) {
    const line = text.trim();
    if (line !== "") yield { row: rowOf(plugin, line, `${path}, line ${number}`), number, size: text.length };
  }
}

function rowOf(plugin: string, line: string, where: string): Row {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch (cause) {
    throw badFile(plugin, where, `is not JSON (${cause instanceof Error ? cause.message : cause})`);
  }
  if (typeof row !== "object" || row === null || Array.isArray(row)) throw badValue(plugin, where, row, "an object");
  return row as Row;
}
