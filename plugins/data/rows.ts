/**
 * What data plugins share: rows in memory as an opened data set, and files by path.
 * @module
 */
import { badFile, missing } from "../../core/errors.ts";
import { sha256 } from "../../core/fingerprint.ts";
import type { Host, Row, Rows } from "../../core/types.ts";

/** Rows that are all there. */
export function rowsInMemory(rows: readonly Row[], fingerprint: string): Rows {
  return {
    length: rows.length,
    fingerprint,
    read: async function* (from) {
      for (let at = from?.at ?? 0; at < rows.length; at++) yield { row: rows[at] ?? {}, next: { at: at + 1 } };
    },
    at: async (indices) => indices.map((i) => rows[i] ?? {}),
  };
}

/** Every row of a data set, in order. */
export async function allRows(source: Rows): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const { row } of source.read()) rows.push(row);
  return rows;
}

/** The text of a file, and its fingerprint. Throws AttuneError where it is missing or not UTF-8. */
export async function readText(
  plugin: string,
  path: string,
  host: Host,
): Promise<{ text: string; fingerprint: string }> {
  if (!host.directory) throw missing(plugin, "access to files", host.runtime);
  const full = host.resolve?.(path) ?? path;
  const at = full.lastIndexOf("/");
  const file = await host.directory(full.slice(0, Math.max(1, at))).get(full.slice(at + 1));
  if (!file) throw badFile(plugin, path, "does not exist");
  try {
    // A byte order mark is dropped by the decoder.
    return {
      text: new TextDecoder("utf-8", { fatal: true }).decode(file.bytes),
      fingerprint: await sha256(file.bytes),
    };
  } catch {
    throw badFile(plugin, path, "is not UTF-8");
  }
}
