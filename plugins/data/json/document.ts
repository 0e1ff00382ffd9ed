/** JSON files as rows: a single document, or JSON Lines if the content looks like it. */
import { type FilePlace, openTextFile, readingOf, refuseUtf16, rowsInMemory } from "../../../blocks/data/mod.ts";
import { badValue, missing } from "../../../core/base/errors.ts";
import type { Row, Rows } from "../../../core/types.ts";
import { listDigest, openJsonList } from "./list.ts";
import { openJsonLines } from "./lines.ts";
import { parseValue } from "./value.ts";

/** Larger documents that turn out not to be lines are not searched for a list. */
const MAX_BYTES = 256 * 2 ** 20;

/**
 * Opens a file with a list of objects (in `field`, if given) or one object per line, depending on its first character.
 * Throws AttuneError if it is not JSON, or something in the list is not an object.
 */
export async function openJson(plugin: string, place: FilePlace, field: string | null = null): Promise<Rows> {
  const { name } = place;
  const file = await openTextFile(plugin, place);
  const beginning = await file.beginning();
  refuseUtf16(plugin, name, beginning);
  if (field === null && !isList(beginning)) return await linesOf(plugin, place);
  const reading = await readingOf(place);
  if (reading !== "whole") return await openJsonList(plugin, place, reading, field);
  const text = await file.text(MAX_BYTES);
  let list = parseValue(plugin, text, name);
  for (const key of field?.split(".") ?? []) {
    if (typeof list !== "object" || list === null || !Object.hasOwn(list, key)) {
      throw missing(plugin, `field "${field}"`, name);
    }
    list = (list as Readonly<Record<string, unknown>>)[key];
  }
  const where = field === null ? name : `${name}, ${field}`;
  if (!Array.isArray(list)) throw badValue(plugin, where, list, "a list of objects");
  list.forEach((row: unknown, i) => {
    if (typeof row === "object" && row !== null && !Array.isArray(row)) return;
    throw badValue(plugin, `${where}, row ${i}`, row, "an object");
  });
  const fingerprint = await listDigest(await file.fingerprint(), field);
  return rowsInMemory(list as Row[], fingerprint, (i) => `${where}, row ${i}`);
}

/** Reads one object per line. Throws AttuneError, with the place of the list, if the file is one document instead. */
async function linesOf(plugin: string, place: FilePlace): Promise<Rows> {
  const readDocument = async (): Promise<unknown> => {
    const file = await openTextFile(plugin, place);
    return JSON.parse(await file.text(MAX_BYTES));
  };
  const rows = await openJsonLines(plugin, place).catch(async (error) => {
    // In a document over several lines, the first line is not a complete object.
    if (/, line 1:/.test(String(error)) && await readDocument().then(() => true, () => false)) return undefined;
    throw error;
  });
  if (rows && (rows.length !== 1 || plugin !== "json")) return rows;
  const document = await readDocument();
  const field = typeof document === "object" && document !== null ? listIn(document) : "";
  if (rows && field === undefined) return rows;
  throw badValue(
    plugin,
    place.name,
    document,
    `a list of objects, one object a line, or option "field" where a list is inside${field ? `: "${field}"` : ""}`,
  );
}

/** Returns where in a document a list of objects is. */
function listIn(value: object, depth = 0): string | undefined {
  for (const [key, part] of Object.entries(value)) {
    if (Array.isArray(part) && typeof part[0] === "object" && part[0] !== null) return key;
    if (typeof part !== "object" || part === null || Array.isArray(part) || depth > 3) continue;
    const inner = listIn(part, depth + 1);
    if (inner !== undefined) return `${key}.${inner}`;
  }
  return undefined;
}

/** Whether a text begins with a list. */
function isList(bytes: Uint8Array): boolean {
  return /^[\uFEFF\s]*\[/.test(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes));
}
