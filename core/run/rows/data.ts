/** Reads and encodes the rows of a run. */
import { cachedJson, isJson, keepBytes, keptBytes } from "../../data/cached.ts";
import { AttuneError, badValue, missing } from "../../base/errors.ts";
import type { Dataset, Rows, Sample, Survey } from "../../types.ts";
import { allSamples, type EncodedRows, type EncodingOptions, inspectRows } from "./encoded_rows.ts";
import { encoderFacts, rowEncoderOf } from "./encoding.ts";
import { maxLengthOf, type OpenRun } from "../open/open.ts";
import { createSampleSizes } from "./sample_sizes.ts";
import { withNamedClasses } from "../../data/named_classes.ts";
import { noRows } from "../../data/no_rows.ts";
import { cacheFor, seekable } from "../../data/seekable.ts";
import type { SeekableRows } from "../../data/seekable_rows.ts";
import { dataPath } from "../../spec/run_data.ts";
import { madeOf } from "./shared_rows.ts";
import type { Tell } from "./telling.ts";
import { VERSION } from "../../base/version.ts";

/** Rows between two reports of progress. */
const PROGRESS = 64;

/**
 * Options of reading rows: the `reading` of another split's columns, a receiver of progress and the name to report
 * (`what`), and how often the run goes through all rows (`passes`).
 */
export type ReadingOptions = Readonly<
  {
    reading?: unknown;
    tell?: Tell | undefined;
    what?: string;
    passes?: (rows: number) => number;
    /** Whether these are training rows, which are requested before their step and may be encoded in another thread. */
    beside?: boolean;
    /** Whether only some rows are needed, so that a teacher's outputs are not computed for all rows in advance. */
    isSketch?: boolean;
  }
>;

/** Returns a task's training data. Throws AttuneError if it has none. */
export function trainData({ task, data }: Pick<OpenRun, "task" | "data">): Dataset {
  if (!data.train) throw missing("spec", "the data to train on", `${dataPath(task)}.train`);
  return data.train;
}

/**
 * Reads and encodes a dataset, with columns read as in `options.reading` if given. Throws AttuneError if the dataset is
 * empty or the task cannot read a row.
 */
export async function encodeRows(
  open: OpenRun,
  dataset: Dataset,
  labelled: boolean,
  options: ReadingOptions = {},
): Promise<EncodedRows> {
  const opened = await dataset.open(open.host);
  const key = samplesKey(open, labelled, options.reading);
  const make = async (): Promise<EncodedRows> => {
    const withNames = await withNamedClasses(opened, open.collator.columns?.classes);
    return await encodeOpened(open, dataset, withNames, labelled, options);
  };
  return await madeOf(opened, key, make);
}

/** Returns a key of everything but model and task that samples of given rows depend on; undefined if not JSON. */
function samplesKey(open: OpenRun, labelled: boolean, reading: unknown): string | undefined {
  const { collator, layout, tokenizer, run: { training } } = open;
  if (reading !== undefined && !isJson(reading)) return undefined;
  const lengths = [training.maxLength, maxLengthOf(open), layout.reserve, tokenizer.fingerprint];
  return JSON.stringify([labelled, reading ?? null, collator.name, collator.options, lengths, training.seed]);
}

async function encodeOpened(
  open: OpenRun,
  dataset: Dataset,
  opened: Rows,
  labelled: boolean,
  options: ReadingOptions,
): Promise<EncodedRows> {
  const { host, collator } = open;
  const source = await seekable(opened, host);
  const survey = labelled ? await surveyOf(open, source) : undefined;
  const reading = options.reading ?? survey?.reading;
  const [first] = labelled && source.length > 0 ? await source.at([0]) : [];
  const facts = encoderFacts(open, labelled, reading, first);
  const beside = options.beside && host.startEncoder
    ? (await import("./start_beside.ts")).createBeside(open, facts)
    : undefined;
  const rows = await inspectRows({
    source,
    encoder: rowEncoderOf(facts, open),
    beside,
    passes: options.passes?.(source.length) ?? 1,
    labelled,
    oneEach: collator.oneEach ?? false,
    storedSizes: knownSizes(open, source, labelled, reading),
    keeping: keepingOf(open, source, labelled, { ...options, reading }),
    tell: async (done, total) => {
      if (done % PROGRESS === 0 || done === total) await options.tell?.(options.what ?? "rows", done, total);
    },
  });
  checkLearned(dataset, { ...rows, transforms: source.transforms }, options.what);
  return {
    ...rows,
    rowCount: source.length,
    rows: source.at,
    fingerprint: source.fingerprint,
    redrawn: collator.resample !== undefined,
    reading,
    notes: [...source.notes ?? [], ...survey?.notes ?? []],
    ...(source.transforms ? { transforms: source.transforms } : {}),
  };
}

/** Returns everything that the samples of rows depend on, as the cache key of samples kept across runs. */
function samplesDependOn(
  { collator, tokenizer, checkpoint, backbone, layout, task, run: { training } }: OpenRun,
  source: SeekableRows,
  labelled: boolean,
  reading: unknown,
): readonly unknown[] {
  const rows = [source.fingerprint, source.length, labelled, reading ?? null];
  const model = [tokenizer.fingerprint, checkpoint.config, backbone.maxPositions, backbone.vocabSize, layout.reserve];
  const options = [collator.name, collator.options, task.labels ?? null, training.maxLength, training.seed];
  return [VERSION, rows, model, options];
}

/** Returns the disk cache of sample sizes, for data sets that are large enough. */
function knownSizes(
  open: OpenRun,
  source: SeekableRows,
  labelled: boolean,
  reading: unknown,
): EncodingOptions["storedSizes"] {
  const cache = cacheFor(source, open.host);
  if (!cache) return undefined;
  const parts = ["sizes 3", ...samplesDependOn(open, source, labelled, reading)];
  return {
    find: async () => {
      const bytes = await keptBytes(cache, "sizes", parts);
      return bytes && createSampleSizes(labelled, bytes);
    },
    keep: async (sizes) => await keepBytes(cache, "sizes", parts, sizes.bytes()),
  };
}

/**
 * Returns the disk cache of encoded samples for large data sets. It is used if this run reads all rows more than once,
 * or if an earlier run has read the same rows.
 */
function keepingOf(
  open: OpenRun,
  source: SeekableRows,
  labelled: boolean,
  { reading, passes }: ReadingOptions,
): EncodingOptions["keeping"] {
  const cache = cacheFor(source, open.host);
  if (!cache) return undefined;
  const parts = ["samples 1", ...samplesDependOn(open, source, labelled, reading)];
  return {
    rows: source.length,
    open: async (isAgain) => {
      let isFirst = false;
      await cachedJson(cache, "passes", parts, async () => isFirst = true);
      if (!isAgain && isFirst && (passes?.(source.length) ?? 1) <= 1) return undefined;
      return await (await import("./kept_samples.ts")).openKeptSamples({ cache, parts });
    },
  };
}

/** Returns all samples of a dataset in memory. Throws like `encodeRows`. */
export async function encodeAll(
  open: OpenRun,
  dataset: Dataset,
  labelled: boolean,
  options: ReadingOptions = {},
): Promise<Sample[]> {
  return await allSamples(await encodeRows(open, dataset, labelled, options));
}

/** Returns the result of a collator's survey, which looks at all rows one by one. */
async function surveyOf({ collator, host }: OpenRun, source: SeekableRows): Promise<Survey | undefined> {
  const looking = collator.survey?.();
  if (!looking) return undefined;
  const known = [source.fingerprint, VERSION, collator.name, collator.options];
  return await cachedJson(cacheFor(source, host), "surveys", known, async () => {
    for await (const { row } of source.read()) looking.add(row);
    return looking.end();
  });
}

/** Measures of rows for a plan: the numbers of samples and tokens, and the longest samples. */
export type MeasuredRows = Readonly<{
  samples: number;
  tokens: number;
  /** The longest samples, up to the requested number, the longest first. */
  longest: readonly Sample[];
}>;

/** Returns the `count` largest samples, the largest first. */
export async function largestSamples(rows: EncodedRows, count: number): Promise<readonly Sample[]> {
  return await rows.samples(await rows.largest(count));
}

/** Measures rows exactly, which encodes every row. */
export async function measureSamples(rows: EncodedRows, keep: number): Promise<MeasuredRows> {
  const { total } = await rows.sizes();
  return { samples: rows.count, tokens: total, longest: await largestSamples(rows, keep) };
}

/** Estimates the measures of rows from the samples that were inspected, without encoding the others. */
export async function estimateSamples(rows: EncodedRows, keep: number): Promise<MeasuredRows> {
  const { looked, count } = rows;
  const tokens = looked.count === 0 ? 0 : Math.round(looked.total * count / looked.count);
  return { samples: count, tokens, longest: await largestSamples(rows, keep) };
}

function checkLearned(
  dataset: Dataset,
  { count, looked, transforms }: Pick<EncodedRows, "count" | "looked" | "transforms">,
  what: string | undefined,
): void {
  if (count === 0) throw noRows(dataset.name, what, transforms);
  if (looked.weightless === looked.count) {
    throw badValue("data", 'column "weight"', 0, "a weight above 0 in at least one row");
  }
  if (looked.unlabelled < looked.count) return;
  throw new AttuneError(
    `No row has a label to learn from (${count} rows): labels are missing, or were cut off at training.maxLength`,
    { code: "NO_LABELS", plugin: dataset.name, found: 0, allowed: ["at least one label that counts"] },
  );
}
