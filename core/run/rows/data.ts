/** A run's rows as samples and batches. */
import { cachedJson, isJson, keepBytes, keptBytes } from "../../data/cached.ts";
import { AttuneError, badValue, missing } from "../../base/errors.ts";
import type { Dataset, Rows, Sample, Survey } from "../../types.ts";
import { allSamples, type EncodedRows, type EncodingOptions, lookAtRows } from "./encoded_rows.ts";
import { encoderFacts, rowEncoderOf } from "./encoding.ts";
import { maxLengthOf, type OpenRun } from "../open/open.ts";
import { createSampleSizes } from "./sample_sizes.ts";
import { withNamedClasses } from "../../data/named_classes.ts";
import { noRows } from "../../data/no_rows.ts";
import { seekable, worthKeeping } from "../../data/seekable.ts";
import type { SeekableRows } from "../../data/seekable_rows.ts";
import { dataPath } from "../../spec/run_data.ts";
import { madeOf } from "./shared_rows.ts";
import type { Tell } from "./telling.ts";
import { VERSION } from "../../base/version.ts";

/** How often one looks whether there is progress to tell, in rows. */
const PROGRESS = 64;

/**
 * How rows are read: as others of the run were, who is told how far it is, under which name, and how often all pass.
 */
export type ReadingOptions = Readonly<
  {
    reading?: unknown;
    tell?: Tell | undefined;
    what?: string;
    passes?: (rows: number) => number;
    /** Whether they are a run's to train on, which are asked for ahead of its steps. */
    beside?: boolean;
    /** Whether only some are looked at: what a teacher gives is not computed for all of them first. */
    isSketch?: boolean;
  }
>;

/** What a task trains on. Throws AttuneError if there is nothing. */
export function trainData({ task, data }: Pick<OpenRun, "task" | "data">): Dataset {
  if (!data.train) throw missing("spec", "the data to train on", `${dataPath(task)}.train`);
  return data.train;
}

/**
 * Reads and encodes a dataset, as `reading` says where other rows of the run were read before. Throws AttuneError if
 * it is empty or a row is not as the task wants it.
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

/** All that samples of given rows depend on, besides the model and the task; undefined if that cannot be said. */
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
  const rows = await lookAtRows({
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

/** All that the samples of some rows depend on, for what is kept of them over runs. */
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

/** Where sizes of samples are kept, of data sets that are worth it. */
function knownSizes(
  open: OpenRun,
  source: SeekableRows,
  labelled: boolean,
  reading: unknown,
): EncodingOptions["storedSizes"] {
  const cache = worthKeeping(source, open.host);
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
 * Where encoded samples are kept, of data sets that are worth it: where all rows pass again in this run, or a run
 * before this one has had them.
 */
function keepingOf(
  open: OpenRun,
  source: SeekableRows,
  labelled: boolean,
  { reading, passes }: ReadingOptions,
): EncodingOptions["keeping"] {
  const cache = worthKeeping(source, open.host);
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

/** All samples of a dataset, in memory. Throws as `encodeRows` does. */
export async function encodeAll(
  open: OpenRun,
  dataset: Dataset,
  labelled: boolean,
  options: ReadingOptions = {},
): Promise<Sample[]> {
  return await allSamples(await encodeRows(open, dataset, labelled, options));
}

/** What a collator makes of all rows, which pass by one at a time. */
async function surveyOf({ collator, host }: OpenRun, source: SeekableRows): Promise<Survey | undefined> {
  const looking = collator.survey?.();
  if (!looking) return undefined;
  const known = [source.fingerprint, VERSION, collator.name, collator.options];
  return await cachedJson(worthKeeping(source, host), "surveys", known, async () => {
    for await (const { row } of source.read()) looking.add(row);
    return looking.end();
  });
}

/** What a plan needs to know about rows: the number of samples and tokens, and the longest. */
export type MeasuredRows = Readonly<{
  samples: number;
  tokens: number;
  /** The longest samples, as many as were asked for, the longest first. */
  longest: readonly Sample[];
}>;

/** The largest samples, the largest first. */
export async function largestSamples(rows: EncodedRows, count: number): Promise<readonly Sample[]> {
  return await rows.samples(await rows.largest(count));
}

/** The same of rows, every one of which is encoded for it. */
export async function measureSamples(rows: EncodedRows, keep: number): Promise<MeasuredRows> {
  const { total } = await rows.sizes();
  return { samples: rows.count, tokens: total, longest: await largestSamples(rows, keep) };
}

/** The same as it is known before that: all samples are taken to be like those that were looked at. */
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
