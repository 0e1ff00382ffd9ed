/** Leaks: rows of an eval or test split that are also training rows. */
import { rowText } from "../../data/compared_rows.ts";
import { refused } from "../../base/errors.ts";
import { type HashPart, inParts, isInPart } from "../../data/hash_parts.ts";
import { createHashTable } from "../../data/hash_table.ts";
import { type Hash, hashOf } from "../../data/text_hash.ts";
import type { Dataset, Json, Row, RowColumns, TrainingEvent } from "../../types.ts";

/** The rows of one split that are also among the training rows. */
export type Leaks = Readonly<{
  /** Number of rows of the other split that are in training, and its number of rows. */
  rows: number;
  of: number;
  /** Number of training rows that are in the other split. */
  train: number;
  /** The first leaks: row numbers in both splits, and the text. */
  first: readonly Readonly<{ train: number; other: number; text: string }>[];
}>;

/** The rows of a split, which can be iterated several times. */
export type PassingRows = AsyncIterable<Readonly<{ row: Row }>>;

/** Number of leaks that are listed. */
const NAMED = 20;

/** Distinct rows of the other split in one table. With more, both splits are read again for each further part. */
const AT_ONCE = 2 ** 21;

/** The columns to compare, and the number of distinct rows that a table may hold. */
export type LeakOptions = Readonly<{ columns: RowColumns | undefined; atOnce?: number }>;

/**
 * Finds rows of `other` that are also in `train`, by hashes of the columns that the task reads. Memory is limited to
 * one table, however many rows there are: if it gets full, each half of the hashes is processed separately.
 */
export async function leaksBetween(train: PassingRows, other: PassingRows, options: LeakOptions): Promise<Leaks> {
  const parts: Leaks[] = [];
  await inParts(async (part) => {
    const table = await tableOf(other, options, part);
    if (table) parts.push(await leaksIn(train, table, options, part));
    return table !== undefined;
  });
  const all = (count: (part: Leaks) => number): number => parts.reduce((sum, part) => sum + count(part), 0);
  return {
    rows: all(({ rows }) => rows),
    of: parts[0]?.of ?? 0,
    train: all(({ train }) => train),
    first: parts.flatMap(({ first }) => first).sort((a, b) => a.train - b.train).slice(0, NAMED),
  };
}

/** A split's rows by hash: the first row and the number of rows for each hash, and the number of all rows. */
type Table = Readonly<{ place(hash: Hash): number | undefined; first: number[]; counts: number[]; of: number }>;

/** Returns the table of one part of the other split's rows; undefined if they are too many for one table. */
async function tableOf(other: PassingRows, options: LeakOptions, part: HashPart): Promise<Table | undefined> {
  const { columns, atOnce = AT_ONCE } = options;
  const textOf = rowText(columns);
  const table = createHashTable();
  const [first, counts]: [number[], number[]] = [[], []];
  let of = 0;
  for await (const { row } of other) {
    const number = of++;
    const hash = hashOf(textOf(row));
    if (!isInPart(part, hash)) continue;
    const place = table.get(hash) ?? table.size;
    if (place === atOnce && !part.isLast) return undefined;
    if (place === table.size) {
      table.set(hash, place);
      first.push(number);
      counts.push(0);
    }
    counts[place] = (counts[place] ?? 0) + 1;
  }
  return { place: table.get, first, counts, of };
}

async function leaksIn(
  train: PassingRows,
  { place: placeOf, first, counts, of }: Table,
  { columns }: LeakOptions,
  part: HashPart,
): Promise<Leaks> {
  const valuesOf = rowText(columns);
  const listed: { train: number; other: number; text: string }[] = [];
  let [rows, leaked, at] = [0, 0, 0];
  for await (const { row } of first.length > 0 ? train : []) {
    const number = at++;
    const values = valuesOf(row);
    const hash = hashOf(values);
    const place = isInPart(part, hash) ? placeOf(hash) : undefined;
    if (place === undefined) continue;
    leaked++;
    rows += counts[place] ?? 0;
    counts[place] = 0;
    if (listed.length < NAMED) {
      listed.push({ train: number, other: first[place] ?? 0, text: shortened(textOf(row, columns) ?? values) });
    }
  }
  return { rows, of, train: leaked, first: listed };
}

function textOf(row: Row, columns: RowColumns | undefined): string | undefined {
  const value = columns?.texts.map((name) => row[name]).find((one) => typeof one === "string");
  return typeof value === "string" ? value : undefined;
}

function shortened(text: string): string {
  const line = text.replace(/\s+/g, " ");
  return line.length > 80 ? `${line.slice(0, 77)}...` : line;
}

/** Share of a split's rows that may be in training, and the number of rows below which the share is not judged. */
const [THRESHOLD, FEW] = [0.01, 100];

/** Returns a warning about leaks, if any. Throws AttuneError (`REFUSED`) if there are too many to trust the metrics. */
export function judgeLeaks(
  leaks: Leaks,
  { path, name, threshold = THRESHOLD, isSameSource }: Readonly<
    { path: string; name: string; threshold?: number | undefined; isSameSource: () => boolean }
  >,
): TrainingEvent | undefined {
  const { rows, of, train, first } = leaks;
  if (rows === 0) return undefined;
  const share = rows / of;
  const pairs = first.map((one) => `train row ${one.train} = ${name} row ${one.other}: ${JSON.stringify(one.text)}`);
  const message = `${path}: ${rows} of ${of} rows of ${name} (${(100 * share).toFixed(1)} %) are also in train`;
  if (share > threshold && of >= FEW && !isSameSource()) {
    const more = train > first.length ? [`and ${train - first.length} more`] : [];
    throw refused(
      "data",
      [
        `${message}, more than ${path}.leakThreshold (${threshold}) allows: its figures would measure memorization.`,
        ...pairs.map((line) => `  ${line}`),
        ...more.map((line) => `  ${line}`),
        `Leave them out with the transform "decontaminate", or set ${path}.leakThreshold to 1 to get a warning only.`,
      ].join("\n"),
    );
  }
  return {
    type: "warning",
    step: 0,
    epoch: 0,
    code: "LEAKS",
    message: `${message}: ${pairs.slice(0, 3).join("; ")}${train > 3 ? "; ..." : ""}`,
  };
}

/** Options that select some of a source's rows; two data sets that differ only in these have the same source. */
const CHOOSING: ReadonlySet<string> = new Set([
  "split",
  "part",
  "limit",
  "skip",
  "testSize",
  "seed",
  "stratifyByColumn",
]);

/** Whether two splits are parts of one source. */
export function isSameSource(a: Dataset, b: Dataset): boolean {
  return sourceOf(a) === sourceOf(b);
}

function sourceOf(dataset: Dataset): string {
  const { name, options } = dataset.transformed?.source ?? dataset;
  const described = (value: unknown): Json => {
    if (Array.isArray(value)) return value.map(described);
    if (typeof value !== "object" || value === null) return value === undefined ? null : value as Json;
    if ("kind" in value && value.kind === "data") return sourceOf(value as Dataset);
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, part]) =>
        CHOOSING.has(key) || typeof part === "function" ? [] : [[key, described(part)]]
      ),
    );
  };
  return JSON.stringify([name, described(options)]);
}
