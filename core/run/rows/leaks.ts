/** Rows that are trained on and measured on as well. */
import { rowText } from "../../data/compared_rows.ts";
import { refused } from "../../base/errors.ts";
import { type HashPart, inParts, isInPart } from "../../data/hash_parts.ts";
import { createHashTable } from "../../data/hash_table.ts";
import { type Hash, hashOf } from "../../data/text_hash.ts";
import type { Dataset, Json, Row, RowColumns, TrainingEvent } from "../../types.ts";

/** Rows of one split that the training rows have, too. */
export type Leaks = Readonly<{
  /** How many of the other split's rows there are in training, and how many it has. */
  rows: number;
  of: number;
  /** How many training rows are among them. */
  train: number;
  /** The first of them: numbers of rows, and what they say. */
  first: readonly Readonly<{ train: number; other: number; text: string }>[];
}>;

/** A split whose rows pass by, as often as they are gone through. */
export type PassingRows = AsyncIterable<Readonly<{ row: Row }>>;

/** Leaks that are named. */
const NAMED = 20;

/** Rows of the other split that a table holds at once: of more, both splits are gone through once more for each part. */
const AT_ONCE = 2 ** 21;

/** What rows are compared by, and how many different ones a table may hold. */
export type LeakOptions = Readonly<{ columns: RowColumns | undefined; atOnce?: number }>;

/**
 * Rows of `other` that stand in `train`: told by hashes of the columns that the task reads. Memory is that of one table,
 * however many rows there are: where it is full, each half of the hashes is looked at alone.
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

/** The rows of a split by their hashes: the first of each, how many there are of it, and of all. */
type Table = Readonly<{ place(hash: Hash): number | undefined; first: number[]; counts: number[]; of: number }>;

/** A part of the other split's rows; undefined if they are too many for one table. */
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

/** The share of a split's rows that may stand in training, and the rows from which on a share says something. */
const [THRESHOLD, FEW] = [0.01, 100];

/** What is told of leaks. Throws AttuneError (`REFUSED`) if there are too many of them for its figures to mean anything. */
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

/** Options that choose some of a source's rows: without them, two data sets may be of one source. */
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
