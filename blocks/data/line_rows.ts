/** Large line-based files as rows, read on demand by an index of their lines. */
import type { Line } from "../../core/data/line_index.ts";
import type { Row, Rows } from "../../core/types.ts";
import { HELD_BYTES } from "./streamed_records.ts";
import type { FilePlace } from "./text_file.ts";
import { packingOf, refuseBinary } from "./unpacked.ts";

/**
 * How a file's rows are read: at once if it is small, by an index if it is large, and from start to end if it is
 * compressed, because its size is then unknown.
 */
export type FileReading = "whole" | "indexed" | "streamed";

/**
 * Returns how the rows of a file are read. A missing file counts as small: opening it reports the error. Throws
 * AttuneError if the first bytes are those of a known binary format.
 */
export async function readingOf({ name, store, key }: FilePlace): Promise<FileReading> {
  const beginning = await store.get(key, { offset: 0, length: 262 });
  if (!beginning) return "whole";
  refuseBinary(name, beginning.bytes);
  return packingOf(beginning.bytes) !== undefined ? "streamed" : beginning.size > HELD_BYTES ? "indexed" : "whole";
}

/** Makes rows of lines. `check`: tests the first and last byte of a line that are not blank while lines are indexed. */
export type LineReader = Readonly<{
  rowOf(line: string, where: string): Row;
  check?(first: number, last: number, where: string): void;
}>;

/**
 * Opens a large uncompressed file as rows, a line each; undefined if the file is not of this kind. Throws AttuneError
 * as `openLines` does.
 */
export async function openLineRows(plugin: string, place: FilePlace, reader: LineReader): Promise<Rows | undefined> {
  const { name, store, key, path, cache } = place;
  if (await readingOf(place) !== "indexed") return undefined;
  const whereIs = (number: number): string => `${name}, line ${number}`;
  const { check } = reader;
  const { openLines } = await import("../../core/data/line_index.ts");
  const { count, fingerprint, longest, at, read } = await openLines(
    { plugin, name, store, key, identity: `${plugin} ${path ?? name}` },
    cache,
    check && ((first, last, number) => check(first, last, whereIs(number))),
  );
  const rowOf = ({ text, number }: Line): Row => reader.rowOf(text, whereIs(number));
  return {
    length: count,
    fingerprint,
    longest,
    at: async (indices) => (await at(indices)).map(rowOf),
    where: async (index) => whereIs((await at([index]))[0]?.number ?? 0),
    read: async function* (from) {
      let index = from?.at ?? 0;
      for await (const line of read(index)) {
        yield { row: rowOf(line), next: { at: ++index }, where: whereIs(line.number) };
      }
    },
  };
}
