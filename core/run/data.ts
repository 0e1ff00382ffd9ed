/**
 * A run's rows as samples and batches.
 * @module
 */
import { AttuneError, badValue } from "../errors.ts";
import { layOut } from "../loop/layout.ts";
import type { Batch, Dataset, Layout, Row, Sample } from "../types.ts";
import { createRandom } from "../random.ts";
import { maxLengthOf, type OpenRun } from "./open.ts";

/** Encoded rows. */
export type EncodedRows = Readonly<{
  rows: readonly Row[];
  samples: readonly Sample[];
  fingerprint: string;
}>;

/** How often progress is told, in rows. */
const PROGRESS = 2000;

/** Reads and encodes a dataset. Throws AttuneError where it is empty or a row is not as the task wants it. */
export async function encodeRows(
  open: OpenRun,
  dataset: Dataset,
  labelled: boolean,
  progress?: (done: number) => void,
): Promise<EncodedRows> {
  const { run, host, tokenizer, collator, checkpoint } = open;
  const opened = await dataset.open(host);
  const rows: Row[] = [];
  const samples: Sample[] = [];
  const context = {
    tokenizer,
    random: createRandom(run.training.seed).fork("collator"),
    maxLength: maxLengthOf(open),
    labelled,
    modelType: String(checkpoint.config.model_type),
  };
  for await (const { row } of opened.read()) {
    for (const sample of collator.encode(row, rows.length, context)) samples.push(checked(sample, open));
    rows.push(row);
    if (rows.length % PROGRESS === 0) progress?.(rows.length);
  }
  if (samples.length === 0) {
    throw new AttuneError("The data set has no rows", {
      code: "EMPTY_DATA",
      plugin: dataset.name,
      found: 0,
      allowed: ["at least one row"],
    });
  }
  return { rows, samples, fingerprint: opened.fingerprint };
}

/** Ready-made rows may be longer than the model's positions, or name tokens that it does not have. */
function checked(sample: Sample, { trunk }: OpenRun): Sample {
  for (const { length, fields } of sample.sequences) {
    if (length > trunk.maxPositions) {
      throw badValue(
        "engine",
        `row ${sample.row}`,
        `${length} tokens`,
        `at most ${trunk.maxPositions} (the model's positions)`,
      );
    }
    const wrong = fields.input_ids?.data.find((id) => id < 0 || id >= trunk.vocabSize);
    if (wrong !== undefined) {
      throw badValue("engine", `input_ids of row ${sample.row}`, wrong, `an id from 0 to ${trunk.vocabSize - 1}`);
    }
  }
  return sample;
}

/** Samples in batches of `size`, in order, laid out when they are asked for. */
export function* batchesInOrder(samples: readonly Sample[], size: number, layout: Layout): Generator<Batch> {
  for (let start = 0; start < samples.length; start += size) yield layOut(samples.slice(start, start + size), layout);
}

/** The distinct ids of a field over all samples, sorted, with the fill of padding. */
export function namedIds(samples: Iterable<Sample>, field: string): Int32Array {
  const seen = new Set<number>();
  for (const sample of samples) {
    for (const { fields } of sample.sequences) {
      const own = fields[field];
      if (!own) continue;
      seen.add(own.fill);
      for (const id of own.data) seen.add(id);
    }
  }
  return Int32Array.from([...seen].sort((a, b) => a - b));
}
