/**
 * Reports on a spec's data, split by split. Rows are read one at a time, so that there may be more than fit in memory.
 */
import { exactClusters, nearClusters, type NearPairs, nearPairs, textIn } from "../../blocks/transform/mod.ts";
import { comparedColumns, rowText } from "../../core/data/compared_rows.ts";
import { AttuneError, missing } from "../../core/base/errors.ts";
import { type RowWeigher, rowWeigher } from "../../core/data/row_weight.ts";
import { rowsThrough } from "../../core/data/rows_through.ts";
import { hashOf } from "../../core/data/text_hash.ts";
import { noRows } from "../../core/data/no_rows.ts";
import { type Leaks, leaksBetween } from "../../core/run/rows/leaks.ts";
import type { OpenRun } from "../../core/run/open/open.ts";
import { dataPath, splitNames } from "../../core/spec/run_data.ts";
import type { Named, Row, RowColumns, Rows, SplitName, TransformReport } from "../../core/types.ts";
import { type ColumnReport, createColumnStatistics } from "./columns.ts";
import { createLengths, type LengthReport } from "./lengths.ts";
import { type DataOptions, limitedRows, shortened } from "./limited_rows.ts";
import type { LabelIssue } from "./label_issues.ts";
import type { ShownTokens } from "./tokens.ts";

/** Rows that repeat an earlier row: how many, and the first of them with the row that they repeat. */
export type DuplicateReport = Readonly<{
  rows: number;
  first: readonly Readonly<{ row: number; of: number; text: string }>[];
  /** Candidates for near duplicates that were not compared because very many rows are alike; there may be more. */
  uncompared?: number;
}>;

/** Rows of a split that also occur in `train`, and with `near` those that are nearly the same as a training row. */
export type SplitLeaks = Leaks & Readonly<{ near?: NearPairs }>;

/** The report of one split. */
export type SplitReport = Readonly<{
  in: number;
  out: number;
  columns: Named<ColumnReport>;
  classes?: Named<readonly string[]>;
  lengths?: LengthReport;
  duplicates: DuplicateReport;
  nearDuplicates?: DuplicateReport;
  /** Rows that the task cannot read, with the reasons for the first ones. */
  unreadable?: Readonly<{ rows: number; first: readonly string[] }>;
  transforms?: readonly TransformReport[];
  notes: readonly string[];
  first: readonly Row[];
}>;

/** The report of one task's data. */
export type DataReport =
  & { readonly [S in SplitName]?: SplitReport }
  & Readonly<{ leaks: Named<SplitLeaks>; labels?: readonly LabelIssue[]; tokens?: readonly ShownTokens[] }>;

/** Number of duplicates and errors that are listed, and of rows that are shown. */
const [NAMED, SHOWN] = [20, 3];

/** Reports on the data of a task. Throws AttuneError if the task can read no row of a split. */
export async function reportData(open: OpenRun, options: DataOptions): Promise<DataReport> {
  const { data, host, collator } = open;
  const report: { -readonly [S in SplitName]?: SplitReport } = {};
  const opened: Partial<Record<SplitName, Rows>> = {};
  let reading: unknown;
  for (const name of splitNames) {
    const dataset = data[name];
    if (!dataset) continue;
    const rows = await dataset.open(host);
    opened[name] = rows;
    if (name === "train") reading = await readingOf(open, rows, options);
    report[name] = await reportSplit(open, name, rows, { ...options, reading });
  }
  if (Object.keys(opened).length === 0) throw missing("spec", "a data set (train, eval or test)", dataPath(open.task));
  const leaks: Record<string, SplitLeaks> = {};
  for (const name of ["eval", "test"] as const) {
    const [train, other] = [opened.train, opened[name]];
    if (train && other) leaks[name] = await leaksOf(collator.columns, train, other, options);
  }
  const tokens = options.tokens ? await (await import("./tokens.ts")).learnedTokens(open, reading, options) : undefined;
  return { ...report, leaks, ...(tokens ? { tokens } : {}) };
}

/** How near duplicates are found: as the transform `dedupe` does. */
const NEAR = { threshold: 0.8, ngram: 3, permutations: 256, bands: null, rows: null };

async function leaksOf(
  columns: RowColumns | undefined,
  train: Rows,
  other: Rows,
  options: DataOptions,
): Promise<SplitLeaks> {
  const leaks = await leaksBetween(limitedRows(train, options), limitedRows(other, options), { columns });
  if (!options.near) return leaks;
  const valuesOf = rowText(columns);
  const compared = (rows: Rows) =>
    through(rows, options, (row) => ({ text: textOf(columns, row), hash: hashOf(valuesOf(row)) }));
  const near = await nearPairs("data", compared(train), compared(other), { ...NEAR, mostNamed: NAMED });
  return { ...leaks, near: { ...near, first: near.first.map((one) => ({ ...one, text: shortened(one.text, 80) })) } };
}

/** Returns the text of a row that is compared. */
function textOf(columns: RowColumns | undefined, row: Row): string {
  return comparedColumns(row, columns?.texts ?? null).map((name) => textIn(row[name])).join("\n");
}

async function readingOf({ collator }: OpenRun, rows: Rows, options: DataOptions): Promise<unknown> {
  const looking = collator.survey?.();
  if (!looking) return undefined;
  for await (const { row } of limitedRows(rows, options)) looking.add(row);
  try {
    return looking.end().reading;
  } catch (error) {
    if (error instanceof AttuneError) return undefined;
    throw error;
  }
}

async function reportSplit(
  open: OpenRun,
  name: SplitName,
  rows: Rows,
  { reading, ...options }: DataOptions & Readonly<{ reading: unknown }>,
): Promise<SplitReport> {
  const columns = createColumnStatistics();
  const lengths = createLengths(open, reading);
  const first: Row[] = [];
  const errors: AttuneError[] = [];
  let [count, unreadable] = [0, 0];
  let weigh: RowWeigher | undefined;
  for await (const { row, where } of limitedRows(rows, options)) {
    columns.add(row);
    weigh ??= rowWeigher(Object.hasOwn(row, "weight"));
    if (first.length < SHOWN) first.push(row);
    try {
      weigh([], row, count);
      lengths.add(row, count);
    } catch (error) {
      if (!(error instanceof AttuneError)) throw error;
      unreadable++;
      if (errors.length < NAMED) errors.push(where === undefined ? error : located(error, where));
    }
    count++;
  }
  if (count === 0) throw noRows("data", `${dataPath(open.task)}.${name}`, rows.transforms);
  if (unreadable === count && errors[0]) throw errors[0];
  const tokens = lengths.report();
  return {
    ...rowsThrough(rows.transforms ?? [], count),
    columns: columns.report(),
    ...(rows.classes ? { classes: rows.classes } : {}),
    ...(tokens ? { lengths: tokens } : {}),
    ...await duplicatesIn(open.collator.columns, rows, options),
    ...(unreadable > 0 ? { unreadable: { rows: unreadable, first: errors.map((error) => error.sentence) } } : {}),
    ...(rows.transforms ? { transforms: rows.transforms } : {}),
    notes: rows.notes ?? [],
    first,
  };
}

function located(error: AttuneError, where: string): AttuneError {
  const { code, plugin, path, found, allowed } = error;
  return new AttuneError(`${where}: ${error.sentence}`, { code, plugin, path, found, allowed, cause: error });
}

/** Returns the rows that are the same in the columns that the task reads, and with `near` those with similar texts. */
async function duplicatesIn(
  columns: RowColumns | undefined,
  rows: Rows,
  options: DataOptions,
): Promise<Pick<SplitReport, "duplicates" | "nearDuplicates">> {
  const values = through(rows, options, rowText(columns));
  const texts = through(rows, options, (row) => textOf(columns, row));
  const exact = (await exactClusters(values)).first;
  const duplicates = await listDuplicates(exact, texts, () => true);
  if (!options.near) return { duplicates };
  const { first, uncompared } = await nearClusters("data", texts, NEAR);
  const near = await listDuplicates(first, texts, (row) => exact[row] === row);
  return { duplicates, nearDuplicates: uncompared > 0 ? { ...near, uncompared } : near };
}

/** Lists the rows that repeat another, of those that are wanted. */
async function listDuplicates(
  first: Uint32Array,
  texts: AsyncIterable<string>,
  wanted: (row: number) => boolean,
): Promise<DuplicateReport> {
  const shown: { row: number; of: number; text: string }[] = [];
  let [rows, at] = [0, 0];
  for await (const text of texts) {
    const of = first[at] ?? at;
    if (of !== at && wanted(at)) {
      rows++;
      if (shown.length < NAMED) shown.push({ row: at, of, text: shortened(text, 80) });
    }
    at++;
  }
  return { rows, first: shown };
}

function through<T>(rows: Rows, options: DataOptions, change: (row: Row) => T): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: async function* () {
      for await (const { row } of limitedRows(rows, options)) yield change(row);
    },
  };
}
