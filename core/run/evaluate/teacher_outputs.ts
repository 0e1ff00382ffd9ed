/**
 * A teacher's outputs for samples, by place: cached in memory (up to a number of bytes) and on disk, and otherwise
 * computed. A value is the same to the bit whenever it is computed.
 */
import { missing, unsupported } from "../../base/errors.ts";
import { sizeOf, type Tensor } from "../../base/tensor.ts";
import { layOut } from "../../loop/layout.ts";
import type { Batch, Field, Named, Sample, Store } from "../../types.ts";
import type { OpenRun } from "../open/open.ts";
import type { EncodedRows } from "../rows/encoded_rows.ts";
import { type KeptSamples, openKeptSamples } from "../rows/kept_samples.ts";
import { createSampleCache } from "../rows/sample_cache.ts";
import { openEvaluator } from "./infer.ts";

/** Outputs for samples: outputs per position are fields of the sequence, outputs of the whole row are targets. */
export type TeacherOutputs = Readonly<{
  at(places: readonly number[]): Promise<readonly Sample[]>;
  /** Returns the number of samples whose outputs are cached. */
  count(): number;
  /** Whether a sample's outputs are cached. */
  has(place: number): Promise<boolean>;
  /** Writes pending outputs to disk, and frees the teacher's memory until it has to compute again. */
  release(): Promise<void>;
  close(): Promise<void>;
}>;

/** Options of caching outputs. `parts`: everything that they depend on. */
export type OutputKeeping = Readonly<{
  cache: Store | undefined;
  parts: readonly unknown[];
  memoryBytes?: number | undefined;
}>;

/** Bytes of outputs that are kept in memory. */
const KEPT_BYTES = 48 * 2 ** 20;

/**
 * Limits of samples and tokens that are computed in one batch. The batches depend on nothing else, since the rounding
 * of a row's outputs depends on the other rows of its batch.
 */
const [NEIGHBOURS, TOKENS] = [8, 128];

/** Opens the outputs of a teacher's samples. */
export async function openTeacherOutputs(
  open: OpenRun,
  names: readonly string[],
  rows: Pick<EncodedRows, "count" | "samples">,
  { cache, parts, memoryBytes = KEPT_BYTES }: OutputKeeping,
): Promise<TeacherOutputs> {
  const disk: KeptSamples | undefined = cache && await openKeptSamples({ cache, parts: ["teacher 1", ...parts] });
  const memory = createSampleCache(memoryBytes);
  let inMemory = 0;
  const keep = (place: number, sample: Sample): void => {
    if (!memory.get(place) && memory.put(place, sample)) inMemory++;
  };
  const evaluator = openEvaluator(open, { outputHiddenStates: names.some(isOfPlaces) });
  // Batches are computed one at a time.
  let turn: Promise<unknown> = Promise.resolve();
  const computed = async (samples: readonly Sample[]): Promise<readonly Sample[]> => {
    const batch = layOut(samples.map((sample, row) => ({ ...sample, row })), open.layout);
    const mine = turn.then(async () => (await evaluator.run(batch, false)).outputs);
    turn = mine.catch(() => {});
    const outputs = await mine;
    return samples.map((sample, row) => outputsOf(sample, row, batch, names, outputs));
  };
  /** Computes the outputs at some places, and of the samples in the same batches. */
  const fresh = async (places: readonly number[]): Promise<ReadonlyMap<number, Sample>> => {
    const ready = new Map<number, Sample>();
    for (const start of new Set(places.map((place) => place - place % NEIGHBOURS))) {
      const all = Array.from({ length: Math.min(NEIGHBOURS, rows.count - start) }, (_, i) => start + i);
      const samples = await rows.samples(all);
      for (const group of together(samples)) {
        if (!group.some((i) => places.includes(start + i))) continue;
        const outputs = await computed(group.map((i) => samples[i] as Sample));
        group.forEach((i, k) => ready.set(start + i, outputs[k] as Sample));
      }
    }
    return ready;
  };
  const samplesAt = async (places: readonly number[]): Promise<Map<number, Sample>> => {
    const ready = new Map<number, Sample>();
    for (const place of places) {
      const sample = memory.get(place);
      if (sample) ready.set(place, sample);
    }
    const others = places.filter((place) => !ready.has(place));
    for (const [place, sample] of others.length > 0 ? await disk?.get(others) ?? [] : []) {
      ready.set(place, sample);
      keep(place, sample);
    }
    return ready;
  };
  const release = async (): Promise<void> => {
    await disk?.flush();
    await turn;
    await evaluator.close();
  };
  return {
    at: async (places) => {
      const ready = await samplesAt(places);
      for (const [place, sample] of await fresh(places.filter((place) => !ready.has(place)))) {
        ready.set(place, sample);
        keep(place, sample);
        await disk?.put(place, sample);
      }
      return places.map((place) => ready.get(place) as Sample);
    },
    count: () => disk?.count ?? inMemory,
    has: async (place) => (await samplesAt([place])).has(place),
    release,
    close: release,
  };
}

const isOfPlaces = (name: string): boolean => name.startsWith("hiddenStates.");

/** Divides samples into batches; returns the indices of each. */
function together(samples: readonly Sample[]): readonly (readonly number[])[] {
  const groups: number[][] = [];
  let tokens = Infinity;
  for (const [i, { sequences }] of samples.entries()) {
    if (tokens >= TOKENS) {
      groups.push([]);
      tokens = 0;
    }
    groups.at(-1)?.push(i);
    tokens += sequences.reduce((n, { length }) => n + length, 0);
  }
  return groups;
}

/** Returns the outputs of one sample of a batch. Throws AttuneError if one is missing or has no row per sample. */
function outputsOf(
  { row: number, sequences: [sequence] }: Sample,
  row: number,
  batch: Batch,
  names: readonly string[],
  outputs: Named<Tensor<Float32Array>>,
): Sample {
  const length = sequence?.length ?? 0;
  const fields: Record<string, Field> = {};
  const targets: Record<string, Field> = {};
  for (const name of names) {
    const output = outputs[name];
    if (!output) throw missing("teacher", `output "${name}" (there are ${Object.keys(outputs)})`, "its task");
    if (isOfPlaces(name)) {
      if (batch.sequences !== batch.samples) {
        throw unsupported("teacher", "outputs", name, "hidden states of rows of several sequences are not distilled");
      }
      const size = sizeOf(output.dims.slice(2));
      const data = new Float32Array(length * size);
      for (let place = 0; place < batch.batch * batch.seq; place++) {
        const [sequence = -1, position = 0] = batch.tokenOrigins.subarray(2 * place, 2 * place + 2);
        if (sequence < 0 || batch.rows[sequence] !== row) continue;
        data.set(output.data.subarray(place * size, (place + 1) * size), position * size);
      }
      fields[`teacher.${name}`] = { axis: "token", data, padValue: 0, size };
      continue;
    }
    if (output.dims[0] !== batch.samples) {
      throw unsupported("teacher", "outputs", name, "only outputs per row can be distilled");
    }
    const size = sizeOf(output.dims.slice(1));
    const i = batch.rows.indexOf(row);
    targets[`teacher.${name}`] = {
      axis: "sample",
      data: output.data.slice(i * size, (i + 1) * size),
      padValue: 0,
      size,
    };
  }
  return { row: number, sequences: [{ length, fields }], targets };
}
