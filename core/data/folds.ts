/**
 * Division of rows into folds, as in scikit-learn: plain, stratified by class, by group, or both. Shuffling uses
 * counter-based random streams.
 */
import { badValue } from "../base/errors.ts";
import { permutation } from "../math/random.ts";
import type { Random } from "../types.ts";

/** What to divide: `classes` keep their shares, `groups` stay together; their values are compared as JSON. */
export type FoldOptions = Readonly<{
  rows: number;
  folds: number;
  classes?: readonly unknown[] | undefined;
  groups?: readonly unknown[] | undefined;
  /** Absent: rows stay in order. */
  random?: Random | undefined;
}>;

/**
 * Returns the fold of each row.
 *
 * @throws AttuneError if there are fewer rows, groups, or rows of every class than folds.
 * @example
 * ```ts
 * import { divideRows } from "attune";
 * console.assert(divideRows({ rows: 5, folds: 2 }).join() === "0,0,0,1,1");
 * ```
 */
export function divideRows(options: FoldOptions): Int32Array {
  const { rows, folds, classes, groups } = options;
  if (folds < 2 || folds > rows) {
    throw badValue("folds", "folds", folds, `a number from 2 to ${rows} (the number of rows)`);
  }
  if (groups) return classes ? byClassAndGroup(options, classes, groups) : byGroup(options, groups);
  return classes ? byClass(options, classes) : plain(options);
}

function plain({ rows, folds, random }: FoldOptions): Int32Array {
  const order = random ? permutation(random, rows) : Int32Array.from({ length: rows }, (_, i) => i);
  const foldOfRow = new Int32Array(rows);
  let at = 0;
  for (let fold = 0; fold < folds; fold++) {
    const size = Math.floor(rows / folds) + (fold < rows % folds ? 1 : 0);
    for (const row of order.subarray(at, at + size)) foldOfRow[row] = fold;
    at += size;
  }
  return foldOfRow;
}

/** Stratifies by class: dealing out sorted labels gives each fold's count per class; a class's rows come in blocks. */
function byClass({ rows, folds, random }: FoldOptions, classes: readonly unknown[]): Int32Array {
  const members = membersOf(classes, rows, "stratify");
  const most = Math.max(...members.map((group) => group.length));
  if (folds > most) throw badValue("folds", "folds", folds, `at most ${most} (the rows of the largest class)`);
  const sorted = members.flatMap((group, i) => group.map(() => i));
  const foldOfRow = new Int32Array(rows);
  for (const [i, rowsOfGroup] of members.entries()) {
    const blocks = Array.from({ length: folds }, (_, fold) => {
      let count = 0;
      for (let at = fold; at < rows; at += folds) if (sorted[at] === i) count++;
      return Array.from({ length: count }, () => fold);
    }).flat();
    const order = random && permutation(random.fork("class", i), rowsOfGroup.length);
    rowsOfGroup.forEach((row, at) => (foldOfRow[row] = blocks[order?.[at] ?? at] ?? 0));
  }
  return foldOfRow;
}

/** Assigns groups, the largest first (of equal ones the later by name), each to the fold with the fewest rows. */
function byGroup({ rows, folds, random }: FoldOptions, groups: readonly unknown[]): Int32Array {
  const members = sortedGroups(groups, rows, folds);
  const names = members.map((_, i) => i);
  const order = random ? [...permutation(random, names.length)] : names.reverse();
  order.sort((a, b) => (members[b]?.length ?? 0) - (members[a]?.length ?? 0));
  const sizes = new Array<number>(folds).fill(0);
  const foldOfRow = new Int32Array(rows);
  for (const group of order) {
    const fold = sizes.indexOf(Math.min(...sizes));
    for (const row of members[group] ?? []) foldOfRow[row] = fold;
    sizes[fold] = (sizes[fold] ?? 0) + (members[group]?.length ?? 0);
  }
  return foldOfRow;
}

/** Assigns groups, those with the most uneven classes first, each to the fold that keeps class shares most even. */
function byClassAndGroup(
  { rows, folds, random }: FoldOptions,
  classes: readonly unknown[],
  groups: readonly unknown[],
): Int32Array {
  const labels = membersOf(classes, rows, "stratify");
  const classOf = new Int32Array(rows);
  labels.forEach((labelled, i) => labelled.forEach((row) => (classOf[row] = i)));
  const totals = labels.map((labelled) => labelled.length);
  if (folds > Math.max(...totals)) {
    throw badValue("folds", "folds", folds, `at most ${Math.max(...totals)} (the rows of the largest class)`);
  }
  const members = sortedGroups(groups, rows, folds);
  const counts = members.map((rows) => {
    const count = totals.map(() => 0);
    for (const row of rows) count[classOf[row] ?? 0] = (count[classOf[row] ?? 0] ?? 0) + 1;
    return count;
  });
  const spreads = counts.map(deviation);
  const order = random ? [...permutation(random, counts.length)] : counts.map((_, i) => i);
  order.sort((a, b) => (spreads[b] ?? 0) - (spreads[a] ?? 0));
  const foldCounts = Array.from({ length: folds }, () => totals.map(() => 0));
  const foldOfRow = new Int32Array(rows);
  for (const group of order) {
    const groupCounts = counts[group] ?? [];
    const fold = bestFold(foldCounts, groupCounts, totals);
    foldCounts[fold]?.forEach((n, i) => ((foldCounts[fold] as number[])[i] = n + (groupCounts[i] ?? 0)));
    for (const row of members[group] ?? []) foldOfRow[row] = fold;
  }
  return foldOfRow;
}

function bestFold(
  foldCounts: readonly (readonly number[])[],
  groupCounts: readonly number[],
  totals: readonly number[],
): number {
  let [best, least, fewest] = [0, Infinity, Infinity];
  for (const [fold, there] of foldCounts.entries()) {
    const shares = totals.map((total, i) =>
      deviation(foldCounts.map((counts, at) => ((counts[i] ?? 0) + (at === fold ? groupCounts[i] ?? 0 : 0)) / total))
    );
    const spread = shares.reduce((a, b) => a + b, 0) / shares.length;
    const size = there.reduce((a, b) => a + b, 0);
    // If two folds differ only by rounding, the smaller one gets the group.
    const isNear = Math.abs(spread - least) <= 1e-8 + 1e-5 * Math.abs(least);
    if (spread < least || (isNear && size < fewest)) [best, least, fewest] = [fold, spread, size];
  }
  return best;
}

function deviation(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
}

/** Groups rows by value, in order of first appearance. */
function membersOf(values: readonly unknown[], rows: number, what: string): number[][] {
  if (values.length !== rows) throw badValue("folds", what, values.length, `a value for each of ${rows} rows`);
  const groups = new Map<string, number[]>();
  values.forEach((value, row) => {
    const key = JSON.stringify(value) ?? "null";
    const rows = groups.get(key);
    if (rows) rows.push(row);
    else groups.set(key, [row]);
  });
  return [...groups.values()];
}

/** Collects the rows of each group, in the order of the groups' names. */
function sortedGroups(groups: readonly unknown[], rows: number, folds: number): number[][] {
  const members = membersOf(groups, rows, "group");
  if (members.length < folds) {
    throw badValue("folds", "folds", folds, `at most ${members.length} (the number of groups)`);
  }
  const nameOf = (members: readonly number[]): unknown => groups[members[0] ?? 0];
  return members.sort((a, b) => compare(nameOf(a), nameOf(b)));
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [first, second] = [a, b].map((value) => (typeof value === "string" ? value : JSON.stringify(value) ?? ""));
  return (first as string) < (second as string) ? -1 : first === second ? 0 : 1;
}
