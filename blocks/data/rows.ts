/** Rows in memory as an open dataset, shared by data plugins. */
import { badValue } from "../../core/base/errors.ts";
import { seekable } from "../../core/data/seekable.ts";
import type { SeekableRows } from "../../core/data/seekable_rows.ts";
import type { Dataset, Host, Row, Rows } from "../../core/types.ts";

/** Rows that are all there, and where each stands. `at` throws AttuneError on rows that are not. */
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
 * What is known of rows that come of other data sets: names of classes, notes, and what transforms did to them. `places`: where
 * each of these stands in the options of the data set that is made of them.
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

/** Rows that are read at once where they do not follow each other. */
const AT_ONCE = 256;

/**
 * Rows of a data set by the numbers that they have there, in this order, as those of a data set that has it as the option
 * `source`. Each says where it stands there.
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

/** Rows whose numbers rise, from the first of those behind `from` on: what lies between them is passed over. */
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

/** The numbers of those of so many rows that are wanted. */
export function numbersOf(count: number, isWanted: (number: number) => boolean): Uint32Array {
  let size = 0;
  const numbers = new Uint32Array(count);
  for (let number = 0; number < count; number++) if (isWanted(number)) numbers[size++] = number;
  return numbers.slice(0, size);
}

/** A data set's rows by their number: as they are where they can be had so, else in memory or, where there are many, in the cache. */
export async function openNumbered(source: Dataset, host: Host): Promise<SeekableRows> {
  return await seekable(await source.open(host), host);
}

/** Every row of a data set, in order. */
export async function allRows(source: Rows): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const { row } of source.read()) rows.push(row);
  return rows;
}
