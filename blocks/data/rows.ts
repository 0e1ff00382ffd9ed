/** In-memory and picked rows as open datasets, shared by data plugins. */
import { badValue } from "../../core/base/errors.ts";
import { seekable } from "../../core/data/seekable.ts";
import type { SeekableRows } from "../../core/data/seekable_rows.ts";
import type { Dataset, Host, Row, Rows } from "../../core/types.ts";

/** Opens rows in memory; `where` names the place of a row. `at` throws AttuneError for rows that do not exist. */
export function rowsInMemory(rows: readonly Row[], fingerprint: string, where?: (index: number) => string): Rows {
  return {
    length: rows.length,
    fingerprint,
    read: async function* (from) {
      for (let at = from?.at ?? 0; at < rows.length; at++) {
        yield { row: rows[at] ?? {}, next: { at: at + 1 }, ...(where ? { where: where(at) } : {}) };
      }
    },
    at: async (indices) =>
      indices.map((index) => {
        const row = rows[index];
        if (!row) throw badValue("data", "row", index, `a row from 0 to ${rows.length - 1}`);
        return row;
      }),
    ...(where ? { where: async (index) => where(index) } : {}),
  };
}

/**
 * Returns the metadata of rows that come from other datasets: class names, notes, and reports of transforms. `places`:
 * the option of the combined dataset that holds each source.
 */
export function knownOf(
  sources: readonly Rows[],
  places?: readonly string[],
): Pick<Rows, "classes" | "notes" | "transforms"> {
  const classes = Object.assign({}, ...sources.map((source) => source.classes ?? {}));
  const notes = [...new Set(sources.flatMap((source) => source.notes ?? []))];
  const transforms = sources.flatMap(({ transforms = [] }, i) =>
    transforms.map((report) =>
      places ? { ...report, within: [`with.${places[i]}`, ...report.within ? [report.within] : []].join(".") } : report
    )
  );
  return {
    ...(Object.keys(classes).length > 0 ? { classes } : {}),
    ...(notes.length > 0 ? { notes } : {}),
    ...(transforms.length > 0 ? { transforms } : {}),
  };
}

/** Rows that are read at once if their numbers are not consecutive. */
const AT_ONCE = 256;

/**
 * Opens the rows with the given numbers, in that order, as those of a dataset that has `source` as its option of that
 * name. Each row names its place in the source.
 */
export function pickedRows(source: SeekableRows, numbers: Uint32Array, fingerprint: string): Rows {
  const { length } = numbers;
  const at = async (indices: readonly number[]): Promise<readonly Row[]> => {
    const wrong = indices.find((index) => !Number.isInteger(index) || index < 0 || index >= length);
    if (wrong !== undefined) throw badValue("data", "row", wrong, `a row from 0 to ${length - 1}`);
    return await source.at(indices.map((index) => numbers[index] ?? 0));
  };
  const where = async (index: number): Promise<string> =>
    await source.where?.(numbers[index] ?? -1) ?? `row ${numbers[index] ?? index}`;
  const isInOrder = numbers.every((number, i) => i === 0 || number > (numbers[i - 1] ?? 0));
  const scattered = async function* (from: number): ReturnType<Rows["read"]> {
    for (let start = from; start < length; start += AT_ONCE) {
      const own = Array.from({ length: Math.min(AT_ONCE, length - start) }, (_, i) => start + i);
      const [rows, places] = await Promise.all([at(own), Promise.all(own.map(where))]);
      for (const [i, row] of rows.entries()) yield { row, next: { at: start + i + 1 }, where: places[i] ?? "" };
    }
  };
  return {
    length,
    fingerprint,
    ...knownOf([source], ["source"]),
    at,
    where,
    read: (from) => isInOrder ? pickedInOrder(source, numbers, from?.at ?? 0) : scattered(from?.at ?? 0),
  };
}

/** Yields rows of ascending numbers, from position `from` on, skipping the rows in between. */
async function* pickedInOrder(source: SeekableRows, numbers: Uint32Array, from: number): ReturnType<Rows["read"]> {
  let next = from;
  if (next >= numbers.length) return;
  let number = numbers[next] ?? 0;
  for await (const { row, where = `row ${number}` } of source.read({ at: number })) {
    if (number++ !== numbers[next]) continue;
    yield { row, next: { at: ++next }, where };
    if (next >= numbers.length) return;
  }
}

/** Returns the numbers below `count` for which `isWanted` holds. */
export function rowNumbersWhere(count: number, isWanted: (number: number) => boolean): Uint32Array {
  let size = 0;
  const numbers = new Uint32Array(count);
  for (let number = 0; number < count; number++) if (isWanted(number)) numbers[size++] = number;
  return numbers.slice(0, size);
}

/** Opens a dataset for access by row number: directly if it can, else in memory or, if it is large, by the cache. */
export async function openNumbered(source: Dataset, host: Host): Promise<SeekableRows> {
  return await seekable(await source.open(host), host);
}

/** Reads all rows of a dataset, in order. */
export async function allRows(source: Rows): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const { row } of source.read()) rows.push(row);
  return rows;
}
