/** Concatenations and ranges of rows, from which files, splits and slices are composed. */
import { badValue } from "../../core/base/errors.ts";
import { sha256 } from "../../core/base/sha256.ts";
import type { Cursor, Row, Rows } from "../../core/types.ts";
import { knownOf } from "./rows.ts";

/** Concatenates the rows of several sources. */
export async function concatenatedRows(parts: readonly Rows[]): Promise<Rows> {
  const [only] = parts;
  if (only && parts.length === 1) return only;
  const lengths = parts.map(({ length }) => length);
  const counted = lengths.every((length) => length !== undefined) ? lengths as number[] : undefined;
  const length = counted?.reduce((a, b) => a + b, 0);
  return {
    ...(length === undefined ? {} : { length }),
    fingerprint: await sha256(JSON.stringify(parts.map(({ fingerprint }) => fingerprint))),
    ...knownOf(parts),
    read: async function* (from) {
      let count = from?.at ?? 0;
      const [first, behind] = placeOf(from, counted ?? []);
      for (let part = first; part < parts.length; part++) {
        for await (const { row, next, where } of parts[part]?.read(part === first ? behind : undefined) ?? []) {
          const cursor: Cursor = { at: ++count, inner: [{ at: part }, next] };
          yield { row, next: cursor, ...(where === undefined ? {} : { where }) };
        }
      }
    },
    ...(counted && parts.every(({ at }) => at !== undefined) ? placesOfParts(parts, firstsOf(counted)) : {}),
  };
}

/** Random access to rows by their number among all parts, the place of a row, and the longest row. */
function placesOfParts(parts: readonly Rows[], firsts: readonly number[]): Pick<Rows, "at" | "where" | "longest"> {
  return {
    at: async (indices) => await rowsOfParts(parts, firsts, indices),
    where: async (index) => {
      const part = partOf(firsts, index);
      return await parts[part]?.where?.(index - (firsts[part] ?? 0));
    },
    ...(parts.every(({ longest }) => longest)
      ? { longest: parts.flatMap(({ longest = [] }, part) => longest.map((index) => index + (firsts[part] ?? 0))) }
      : {}),
  };
}

/** Returns the number of each part's first row among all rows, followed by the number of all rows. */
function firstsOf(lengths: readonly number[]): readonly number[] {
  const firsts = [0];
  for (const length of lengths) firsts.push((firsts.at(-1) ?? 0) + length);
  return firsts;
}

/** Returns the part that has a row, by binary search (parts may be many, or empty); -1 if none has it. */
function partOf(firsts: readonly number[], index: number): number {
  let [low, high] = [0, firsts.length - 1];
  if (!Number.isInteger(index) || index < 0 || index >= (firsts[high] ?? 0)) return -1;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((firsts[middle] ?? 0) <= index) low = middle;
    else high = middle;
  }
  return low;
}

/** Returns the source to continue with and the cursor in it, from a cursor, which may have the row's number alone. */
function placeOf(from: Cursor | undefined, lengths: readonly number[]): [number, Cursor | undefined] {
  const [part, behind] = from?.inner ?? [];
  if (part) return [part.at, behind];
  let [at, first] = [from?.at ?? 0, 0];
  while (at > 0 && first < lengths.length && at >= (lengths[first] ?? 0)) at -= lengths[first++] ?? 0;
  return [first, at > 0 ? { at } : undefined];
}

/** Returns rows by their numbers among all parts; each part is asked once. */
async function rowsOfParts(
  parts: readonly Rows[],
  firsts: readonly number[],
  indices: readonly number[],
): Promise<Row[]> {
  const wanted = new Map<number, { index: number; place: number }[]>();
  for (const [place, index] of indices.entries()) {
    const part = partOf(firsts, index);
    if (part < 0) throw badValue("data", "row", index, `a row from 0 to ${(firsts.at(-1) ?? 0) - 1}`);
    const slices = wanted.get(part) ?? [];
    wanted.set(part, slices);
    slices.push({ index: index - (firsts[part] ?? 0), place });
  }
  const rows: Row[] = new Array(indices.length);
  for (const [part, sliceOfPart] of wanted) {
    const read = await parts[part]?.at?.(sliceOfPart.map(({ index }) => index)) ?? [];
    sliceOfPart.forEach(({ place }, i) => (rows[place] = read[i] ?? {}));
  }
  return rows;
}

/** Returns a range of a source's rows; the source has at least `to` rows. */
export async function rangeOfRows(source: Rows, from: number, to: number): Promise<Rows> {
  if (from === 0 && to === source.length) return source;
  const { at } = source;
  return {
    length: to - from,
    fingerprint: await sha256(`${source.fingerprint} ${from} ${to}`),
    ...knownOf([source]),
    read: async function* (cursor) {
      let count = cursor?.at ?? 0;
      if (from + count >= to) return;
      const behind = cursor?.inner?.[0] ?? (from + count > 0 ? { at: from + count } : undefined);
      for await (const { row, next, where } of source.read(behind)) {
        yield { row, next: { at: ++count, inner: [next] }, ...(where === undefined ? {} : { where }) };
        if (from + count >= to) return;
      }
    },
    ...(at
      ? {
        at: async (indices) => {
          const wrong = indices.find((index) => !Number.isInteger(index) || index < 0 || index >= to - from);
          if (wrong !== undefined) throw badValue("data", "row", wrong, `a row from 0 to ${to - from - 1}`);
          return await at(indices.map((index) => from + index));
        },
        where: async (index) => await source.where?.(from + index),
        ...(source.longest
          ? { longest: source.longest.filter((index) => index >= from && index < to).map((index) => index - from) }
          : {}),
      }
      : {}),
  };
}
