/** Rows that go through transforms in order, with counts of what each did to them. */
import { cachedJson } from "../data/cached.ts";
import { seekable } from "../data/seekable.ts";
import { badValue, missing } from "../base/errors.ts";
import { sha256 } from "../base/sha256.ts";
import { createRandom } from "../math/random.ts";
import type {
  Cursor,
  Host,
  Json,
  Row,
  RowColumns,
  Rows,
  Transform,
  TransformContext,
  TransformReport,
  TransformRow,
} from "../types.ts";
import { createTally, type Tally } from "./transform_tally.ts";
import { type DataContext, originOf } from "./data_context.ts";

/** A transform in a sequence, with its context, survey and tally. */
type Stage = Readonly<{ transform: Transform; context: TransformContext; state: unknown; tally: Tally }>;

/** Opens rows that go through transforms. */
export async function openTransformed(
  source: Rows,
  transforms: readonly Transform[],
  host: Host,
  outer: DataContext,
): Promise<Rows> {
  const stages: Stage[] = [];
  let counting = true;
  const rowsThrough = (chain: readonly Stage[]): AsyncIterable<TransformRow> =>
    chain.reduce((rows, stage) => throughStage(rows, stage), sourceRows(source));
  for (const [i, transform] of transforms.entries()) {
    const tally = createTally(transform.name);
    const { classes } = carried(source, transforms.slice(0, i));
    const dataContext = { ...outer, columns: withClasses(outer.columns, classes) };
    const context = contextOf(dataContext, host, { name: transform.name, i }, (row, action, reason) => {
      if (counting) tally.note(row, action, reason);
    });
    const state = await transform.survey?.(rowsThrough(stages), context);
    stages.push({ transform, context, state, tally });
  }
  const fingerprint = await fingerprintOf(source, stages, outer);
  const metadata = carried(source, transforms);
  if (source.at === undefined || transforms.some(({ scope }) => scope === "whole")) {
    const known = await keyOf(fingerprint, outer.columns);
    const stored = await writtenRows({ fingerprint: known, stages, rows: () => rowsThrough(stages) }, host);
    counting = false;
    return { ...stored, fingerprint, ...metadata, transforms: [...source.transforms ?? [], ...stored.transforms] };
  }
  const numbers: number[] = [];
  for await (const { index } of rowsThrough(stages)) numbers.push(index);
  counting = false;
  const reports = stages.map(({ tally }) => tally.report());
  const rowWise = stages.filter(({ transform }) => transform.scope === "row");
  const at = async (indices: readonly number[]): Promise<readonly Row[]> => {
    const places = indices.map((index) => numbers[index] ?? refuseIndex(index, numbers.length));
    const rows = await source.at?.(places) ?? [];
    const items = rowWise.reduce(
      (stageRows, stage) => throughStage(stageRows, stage, false),
      iterable(places.map((index, i): TransformRow => ({ row: rows[i] ?? {}, index }))),
    );
    const out: Row[] = [];
    for await (const { row } of items) out.push(row);
    return out;
  };
  return {
    length: numbers.length,
    fingerprint,
    transforms: [...source.transforms ?? [], ...reports],
    ...metadata,
    at,
    ...(source.where ? { where: async (number: number) => await source.where?.(numbers[number] ?? -1) } : {}),
    read: (from) => from && from.at > 0 ? readAt(at, numbers.length, from.at) : numbered(rowsThrough(stages)),
  };
}

/** Returns columns with the class names of their source, or else those of the task. */
function withClasses(columns: RowColumns | undefined, classes: Rows["classes"]): RowColumns | undefined {
  return columns && classes ? { ...columns, classes: { ...columns.classes, ...classes } } : columns;
}

/** Returns the facts about a source's columns, under their names after the transforms. */
function carried({ classes, notes }: Rows, transforms: readonly Transform[]): Pick<Rows, "classes" | "notes"> {
  const renamed = transforms.reduce<Rows["classes"]>(
    (known, { renames = {} }) =>
      known && {
        ...known,
        ...Object.fromEntries(
          Object.entries(renames).flatMap(([name, old]) => {
            const names = known[old];
            return names ? [[name, names]] : [];
          }),
        ),
      },
    classes,
  );
  return { ...(renamed ? { classes: renamed } : {}), ...(notes ? { notes } : {}) };
}

/**
 * Stores rows that cannot be derived again from their source's index: in memory, or, if they are many, in the host's
 * cache together with the transforms' reports, so that another run can reuse them.
 */
async function writtenRows(
  { fingerprint, stages, rows }: Readonly<
    { fingerprint: string; stages: readonly Stage[]; rows: () => AsyncIterable<TransformRow> }
  >,
  host: Host,
): Promise<Rows & Readonly<{ transforms: readonly TransformReport[] }>> {
  // Of several concurrent readings, only the newest counts.
  let [begun, passed] = [0, 0];
  const read = async function* (): AsyncGenerator<ReadRow> {
    const reading = ++begun;
    yield* numbered(rows());
    if (reading === begun) passed = reading;
  };
  const { at, length, ...others } = await seekable({ fingerprint, read }, host);
  const find = async (): Promise<readonly TransformReport[]> => {
    if (passed !== begun) { for await (const _ of read()); }
    return stages.map(({ tally }) => tally.report());
  };
  // A single complete reading means that the rows are in memory.
  const cache = begun === 1 && passed === 1 ? undefined : host.cache;
  return {
    ...others,
    length,
    transforms: await cachedJson(cache, "transforms", [fingerprint], find),
    at: async (indices) => {
      const wrong = indices.find((index) => index < 0 || index >= length);
      return wrong === undefined ? await at(indices) : refuseIndex(wrong, length);
    },
  };
}

function refuseIndex(index: number, length: number): never {
  throw badValue("data", "row", index, `a row from 0 to ${length - 1}`);
}

type ReadRow = Readonly<{ row: Row; next: Cursor; where?: string }>;

/** Numbers rows by position. */
async function* numbered(rows: AsyncIterable<TransformRow>): AsyncGenerator<ReadRow> {
  let at = 0;
  for await (const { row, where } of rows) yield { row, next: { at: ++at }, ...(where === undefined ? {} : { where }) };
}

/** Rows per read by index. */
const BLOCK = 256;

async function* readAt(at: NonNullable<Rows["at"]>, length: number, from: number): AsyncGenerator<ReadRow> {
  for (let start = from; start < length; start += BLOCK) {
    const indices = Array.from({ length: Math.min(BLOCK, length - start) }, (_, i) => start + i);
    for (const [i, row] of (await at(indices)).entries()) yield { row, next: { at: start + i + 1 } };
  }
}

function sourceRows(source: Rows): AsyncIterable<TransformRow> {
  return {
    [Symbol.asyncIterator]: async function* () {
      let index = 0;
      for await (const item of source.read()) yield { ...item, index: index++ };
    },
  };
}

function iterable(items: readonly TransformRow[]): AsyncIterable<TransformRow> {
  return {
    [Symbol.asyncIterator]: async function* () {
      yield* items;
    },
  };
}

/** Passes rows through a transform on every reading; each reading starts a new count. */
function throughStage(
  rows: AsyncIterable<TransformRow>,
  { transform, context, state, tally }: Stage,
  counts = true,
): AsyncIterable<TransformRow> {
  const silent = counts ? context : { ...context, note: () => {} };
  const countRows = async function* (): AsyncGenerator<TransformRow> {
    for await (const item of rows) {
      tally.in();
      yield item;
    }
  };
  return {
    [Symbol.asyncIterator]: async function* () {
      if (!counts) return yield* transform.apply(rows, silent, state);
      tally.reset();
      for await (const item of transform.apply({ [Symbol.asyncIterator]: countRows }, context, state)) {
        tally.out();
        yield item;
      }
    },
  };
}

function contextOf(
  { seed, split, columns, splits = {}, tokenizer }: DataContext,
  host: Host,
  { name, i }: Readonly<{ name: string; i: number }>,
  note: TransformContext["note"],
): TransformContext {
  return {
    host,
    random: createRandom(seed).fork("transform", name, i),
    split,
    columns,
    splits,
    note,
    tokenizer: async () => {
      if (!tokenizer) throw missing(name, "a tokenizer", "a run's spec");
      return await tokenizer(originOf(host));
    },
  };
}

/** Returns the cache key of written rows; names of tags are part of it, because they can change the rows. */
async function keyOf(fingerprint: string, { classes = {}, parallel = {} }: Partial<RowColumns> = {}): Promise<string> {
  const tags = Object.entries(classes).filter(([column]) => Object.hasOwn(parallel, column));
  return tags.length > 0 ? await sha256(JSON.stringify([fingerprint, Object.fromEntries(tags)])) : fingerprint;
}

async function fingerprintOf(
  source: Rows,
  stages: readonly Stage[],
  { seed, split, columns }: DataContext,
): Promise<string> {
  const parts: Json[] = [];
  for (const { transform, context } of stages) {
    const more = await transform.fingerprint?.(context) ?? null;
    parts.push([transform.name, JSON.parse(JSON.stringify(transform.options)) as Json, more]);
  }
  const { classes: _, ...read } = columns ?? {};
  const known = columns ? read : null;
  return await sha256(JSON.stringify(["transformed", source.fingerprint, seed, split ?? null, known, parts]));
}
