/**
 * Counts of values, for rank metrics over all rows in bounded memory. Values are exact until there are more than {@link
 * TALLY_LIMIT} distinct ones; then all are cut to as many bits as fit. Which bits remain depends only on the rows, not
 * on their order, so merging stays associative.
 */

/** The largest number of distinct entries in a tally. */
export const TALLY_LIMIT = 65536;

/** Counts by group and values; `level`: how far values are cut, an index into `bitsAt`. */
export type Tally = { level: number; size: number; counts: { [key: string]: number } };

/** One entry: its (cut) `values`, and how often they occurred. */
export type TallyEntry = Readonly<{ group: string; values: readonly number[]; count: number }>;

// Fraction bits kept; -1 keeps the sign only. 16 bits are 1.5e-5 of the value.
const bitsAt = [52, 23, 20, 18, 16, 14, 12, 10, 8, 6, 5, 4, 3, 2, 1, 0, -1];

/** Returns an empty tally. */
export function emptyTally(): Tally {
  return { level: 0, size: 0, counts: {} };
}

/** Counts one occurrence. `group` must not contain `|`. Changes and returns `tally`. */
export function addToTally(
  tally: Tally,
  group: string,
  values: readonly number[],
  limit: number = TALLY_LIMIT,
  count: number = 1,
): Tally {
  addCount(tally, keyOf(group, values, tally.level), count);
  while (tally.size > limit && tally.level < bitsAt.length - 1) coarsen(tally, tally.level + 1);
  return tally;
}

/** Adds two tallies. */
export function mergeTallies(a: Tally, b: Tally, limit: number = TALLY_LIMIT): Tally {
  const merged: Tally = { level: a.level, size: a.size, counts: { ...a.counts } };
  if (b.level > merged.level) coarsen(merged, b.level);
  for (const { group, values, count } of tallyEntries(b)) addToTally(merged, group, values, limit, count);
  return merged;
}

/** Adds several tallies, each a given number of times: equals merging them, without a copy for each. */
export function gatherTallies(
  tallies: readonly Tally[],
  counts: ArrayLike<number>,
  limit: number = TALLY_LIMIT,
): Tally {
  const all: Tally = { ...emptyTally(), level: Math.max(0, ...tallies.map(({ level }) => level)) };
  tallies.forEach((tally, i) => {
    const times = counts[i] ?? 0;
    if (times === 0) return;
    const isAsFine = tally.level === all.level;
    for (const key of isAsFine ? Object.keys(tally.counts) : []) addCount(all, key, times * (tally.counts[key] ?? 0));
    for (const { group, values, count } of isAsFine ? [] : tallyEntries(tally)) {
      addToTally(all, group, values, limit, times * count);
    }
    while (all.size > limit && all.level < bitsAt.length - 1) coarsen(all, all.level + 1);
  });
  return all;
}

/** Yields every entry, in arbitrary order. */
export function* tallyEntries(tally: Tally): Generator<TallyEntry> {
  for (const [key, count] of Object.entries(tally.counts)) {
    const at = key.indexOf("|");
    yield { group: key.slice(0, at), values: key.slice(at + 1).split(",").map(Number), count };
  }
}

function coarsen(tally: Tally, level: number): void {
  const entries = [...tallyEntries(tally)];
  tally.level = level;
  tally.size = 0;
  tally.counts = {};
  for (const { group, values, count } of entries) addCount(tally, keyOf(group, values, level), count);
}

function addCount(tally: Tally, key: string, count: number): void {
  const before = tally.counts[key];
  if (before === undefined) tally.size++;
  tally.counts[key] = (before ?? 0) + count;
}

function keyOf(group: string, values: readonly number[], level: number): string {
  const bits = bitsAt[level] ?? -1;
  return `${group}|${values.map((x) => cut(x, bits)).join(",")}`;
}

const view = new DataView(new ArrayBuffer(8));

/** Keeps the first `bits` bits of a number's fraction, rounding towards zero; grids are nested. */
function cut(x: number, bits: number): number {
  if (bits >= 52 || x === 0 || !Number.isFinite(x)) return x === 0 ? 0 : x;
  if (bits < 0) return Math.sign(x);
  view.setFloat64(0, x);
  if (bits <= 20) {
    view.setUint32(4, 0);
    view.setUint32(0, (view.getUint32(0) & (-1 << (20 - bits))) >>> 0);
  } else view.setUint32(4, (view.getUint32(4) & (-1 << (52 - bits))) >>> 0);
  return view.getFloat64(0);
}
