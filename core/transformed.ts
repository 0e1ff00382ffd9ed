/**
 * Data sets with transforms: rows pass one transform after the other, and what each did is counted.
 * @module
 */
import { AttuneError, badValue, missing } from "./errors.ts";
import { sha256 } from "./fingerprint.ts";
import { withNamedErrors } from "./named_errors.ts";
import { createRandom } from "./random.ts";
import type {
  Cursor,
  Dataset,
  Host,
  Json,
  Row,
  RowColumns,
  Rows,
  SplitName,
  Transform,
  TransformContext,
  TransformReport,
  TransformRow,
} from "./types.ts";
import { createTally, type Tally } from "./transform_tally.ts";

/** What the transforms of a run's data are told, besides the host. */
export type DataContext = Readonly<{
  seed: number;
  split?: SplitName;
  columns?: RowColumns | undefined;
  splits?: TransformContext["splits"];
  tokenizer?: (host: Host) => ReturnType<TransformContext["tokenizer"]>;
}>;

/** The seed of transforms that stand in no run. */
const NO_RUN: DataContext = { seed: 42 };

/**
 * A data set whose rows go through transforms, in order. Opening it reads all rows once, so that it knows how many come out
 * and what was done to them; rows are held only where they cannot be had again by their index.
 *
 * @example
 * ```ts
 * import { transformed } from "attune/kit";
 * import { memory } from "attune/data/memory";
 * console.assert(transformed(memory({ rows: [{ text: "a" }] }), []).name === "memory");
 * ```
 */
export function transformed(
  source: Dataset,
  transforms: readonly Transform[],
  context: DataContext = NO_RUN,
): Dataset {
  if (transforms.length === 0) return source;
  const last = new WeakMap<Host, Readonly<{ fingerprint: string; rows: Promise<Rows> }>>();
  return {
    ...source,
    transformed: { source, transforms },
    open: async (host) => {
      const opened = await source.open(host);
      const known = last.get(host);
      if (known?.fingerprint === opened.fingerprint) return await known.rows;
      const rows = openTransformed(opened, transforms, host, context);
      last.set(host, { fingerprint: opened.fingerprint, rows });
      rows.catch(() => last.delete(host));
      return await rows;
    },
  };
}

/** The same data set with its transforms told what a run knows; as it is where it has none. */
export function inContext(dataset: Dataset, context: DataContext): Dataset {
  const { source, transforms = [] } = dataset.transformed ?? {};
  return source ? transformed(source, transforms, context) : dataset;
}

/** A transform among others, and what it has seen. */
type Stage = Readonly<{ transform: Transform; context: TransformContext; seen: unknown; tally: Tally }>;

async function openTransformed(
  source: Rows,
  transforms: readonly Transform[],
  host: Host,
  given: DataContext,
): Promise<Rows> {
  const stages: Stage[] = [];
  let counting = true;
  const rowsThrough = (own: readonly Stage[]): AsyncIterable<TransformRow> =>
    own.reduce((rows, stage) => throughStage(rows, stage), sourceRows(source));
  for (const [i, transform] of transforms.entries()) {
    const tally = createTally(transform.name);
    const context = contextOf(given, host, { name: transform.name, i }, (row, action, reason) => {
      if (counting) tally.note(row, action, reason);
    });
    const seen = await transform.survey?.(rowsThrough(stages), context);
    stages.push({ transform, context, seen, tally });
  }
  const isIndexed = source.at !== undefined && transforms.every(({ scope }) => scope !== "whole");
  const kept: number[] = [];
  let held: TransformRow[] | undefined = [];
  let count = 0;
  for await (const item of rowsThrough(stages)) {
    count++;
    if (isIndexed) kept.push(item.index);
    else if (held && held.push(item) > IN_MEMORY && host.cache) held = undefined;
  }
  counting = false;
  const reports = stages.map(({ tally }) => tally.report());
  const fingerprint = await fingerprintOf(source, stages, given);
  const told = carried(source, transforms);
  if (!isIndexed && held) return { ...heldRows(held, fingerprint, reports), ...told };
  // Many rows are a stream, which whoever wants them by their number writes down in the cache.
  const stream = (from?: Cursor): AsyncGenerator<ReadRow> => numbered(rowsThrough(stages), 0, from?.at);
  if (!isIndexed) return { length: count, fingerprint, transforms: reports, ...told, read: stream };
  const rowWise = stages.filter(({ transform }) => transform.scope === "row");
  const at = async (indices: readonly number[]): Promise<readonly Row[]> => {
    const places = indices.map((index) => kept[index] ?? refuseIndex(index, kept.length));
    const rows = await source.at?.(places) ?? [];
    const items = rowWise.reduce(
      (own, stage) => throughStage(own, stage, false),
      iterable(places.map((index, i): TransformRow => ({ row: rows[i] ?? {}, index }))),
    );
    const out: Row[] = [];
    for await (const { row } of items) out.push(row);
    return out;
  };
  return {
    length: kept.length,
    fingerprint,
    transforms: reports,
    ...told,
    at,
    ...(source.where ? { where: async (number: number) => await source.where?.(kept[number] ?? -1) } : {}),
    read: (from) => from && from.at > 0 ? readAt(at, kept.length, from.at) : numbered(rowsThrough(stages)),
  };
}

/** What is known of a source's columns, under the names that they have behind the transforms. */
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

/** Rows that can be had again only from where they are held. */
function heldRows(held: readonly TransformRow[], fingerprint: string, transforms: readonly TransformReport[]): Rows {
  return {
    length: held.length,
    fingerprint,
    transforms,
    read: (from) => numbered(iterable(held.slice(from?.at ?? 0)), from?.at),
    at: async (indices) => indices.map((index) => (held[index] ?? refuseIndex(index, held.length)).row),
  };
}

function refuseIndex(index: number, length: number): never {
  throw badValue("data", "row", index, `a row from 0 to ${length - 1}`);
}

type ReadRow = Readonly<{ row: Row; next: Cursor; where?: string }>;

/** Rows with their places, the first of which is `from`; those before `behind` are passed over. */
async function* numbered(rows: AsyncIterable<TransformRow>, from = 0, behind = 0): AsyncGenerator<ReadRow> {
  let at = from;
  for await (const { row, where } of rows) {
    if (++at > behind) yield { row, next: { at }, ...(where === undefined ? {} : { where }) };
  }
}

/** Rows that are held in memory where they are not had by their index. */
const IN_MEMORY = 50_000;

/** Rows that are read by their index at once. */
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

/** Rows through a transform, as often as they are read; every reading is counted anew. */
function throughStage(
  rows: AsyncIterable<TransformRow>,
  { transform, context, seen, tally }: Stage,
  counts = true,
): AsyncIterable<TransformRow> {
  const silent = counts ? context : { ...context, note: () => {} };
  const counted = async function* (): AsyncGenerator<TransformRow> {
    for await (const item of rows) {
      tally.in();
      yield item;
    }
  };
  return {
    [Symbol.asyncIterator]: async function* () {
      if (!counts) return yield* transform.apply(rows, silent, seen);
      tally.reset();
      for await (const item of transform.apply({ [Symbol.asyncIterator]: counted }, context, seen)) {
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
      return await tokenizer(host);
    },
  };
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
  return await sha256(JSON.stringify(["transformed", source.fingerprint, seed, split ?? null, columns ?? null, parts]));
}

/** A transform's error with its name, as those of all plugins have. */
export function namedTransform(transform: Transform): Transform {
  const named = withNamedErrors(transform);
  return {
    ...named,
    apply: (rows, context, seen) => ({
      [Symbol.asyncIterator]: async function* () {
        try {
          yield* transform.apply(rows, context, seen);
        } catch (error) {
          if (!(error instanceof Error) || error instanceof AttuneError || error.name === "AbortError") throw error;
          const message = `The transform "${transform.name}" failed: ${error.name}: ${error.message}`;
          throw new AttuneError(message, { code: "PLUGIN", plugin: transform.name, path: "transform", cause: error });
        }
      },
    }),
  };
}
