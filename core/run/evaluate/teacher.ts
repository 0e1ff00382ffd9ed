/**
 * A teacher's outputs as targets of the student's samples: computed once, before training, and cached.
 * @module
 */
import { badValue, missing, unsupported } from "../../base/errors.ts";
import { sha256 } from "../../base/sha256.ts";
import { openSafetensors, writeSafetensors } from "../../files/safetensors.ts";
import { sizeOf, type Tensor } from "../../base/tensor.ts";
import type { Dataset, Field, Rows, Sample, Store, Subtask, Task, Teacher } from "../../types.ts";
import { encodeAll, type ReadingOptions } from "../rows/data.ts";
import { batchesInOrder } from "../rows/ordered_batches.ts";
import { type EncodedRows, inOrder, mapSamples, rowsInOrder } from "../rows/encoded_rows.ts";
import { openEvaluator } from "./infer.ts";
import { type OpenRun, openRun } from "../open/open.ts";

/** Sequences that a teacher computes at once. */
const BATCH = 32;

/** Values of one output: those of row i from `starts[i]` to `starts[i + 1]`, `size` values each. */
type TeacherOutput = Readonly<{ values: Float32Array; size: number; starts: readonly number[]; perToken: boolean }>;

/**
 * Samples with the teacher's outputs among their targets.
 *
 * @throws AttuneError where the teacher cannot be opened, lacks an output, or its tokens are not the student's though
 * outputs per token are wanted.
 */
export async function addTeacherTargets(
  open: OpenRun,
  teacher: Teacher,
  encoded: EncodedRows,
  { tell, what = "rows" }: Pick<ReadingOptions, "tell" | "what"> = {},
): Promise<EncodedRows> {
  if (encoded.redrawn) {
    throw unsupported(
      "teacher",
      "task",
      open.task.taskType,
      "a teacher's outputs are computed once, but these samples change",
    );
  }
  const own = await openRun(
    {
      ...open.run,
      spec: { ...open.run.spec, head: undefined, loss: undefined, collator: undefined, metrics: [] },
      model: open.run.use("model", teacher.model),
      tokenizer: open.run.use("tokenizer", teacher.tokenizer ?? "hf"),
      task: alone(teacher.task),
      adapters: [],
      metrics: [],
    },
    open.host,
  );
  const samples = await encodeAll(own, rowsAgain(encoded), false);
  const cache = teacher.cache === null ? undefined : open.host.directory?.(open.host.resolve?.(teacher.cache) ?? "");
  const fingerprint = await fingerprintOf(own, teacher, encoded);
  const key = `${fingerprint}.safetensors`;
  const outputs = await cached(cache, key, samples, teacher) ??
    await computed(own, teacher, samples, (done) => tell?.(`${what}, the teacher`, done, samples.length));
  if (cache) await save(cache, key, outputs);
  const lengths = samples.map((sample) => sample.sequences[0]?.length ?? 0);
  const withTeacher = mapSamples(
    encoded,
    (own, places) => own.map((sample, i) => withTargets(sample, lengths[places[i] ?? 0] ?? 0, places[i] ?? 0, outputs)),
  );
  // That tokens agree is known before the first step.
  for await (const _ of inOrder(withTeacher));
  return { ...withTeacher, fingerprint };
}

function alone(task: Subtask): Task {
  return { kind: "task", name: "teacher", options: {}, subtasks: [task] };
}

function rowsAgain(encoded: EncodedRows): Dataset {
  const { rowCount: length, rows: at, fingerprint } = encoded;
  const read = async function* (): ReturnType<Rows["read"]> {
    for await (const { row, number } of rowsInOrder(encoded)) yield { row, next: { at: number + 1 } };
  };
  return { kind: "data", name: "rows", options: {}, open: () => Promise.resolve({ length, fingerprint, read, at }) };
}

async function fingerprintOf(open: OpenRun, { outputs }: Teacher, { fingerprint }: EncodedRows): Promise<string> {
  const parts = [
    await open.checkpoint.fingerprint(),
    open.tokenizer.fingerprint,
    fingerprint,
    JSON.stringify(open.run.training.maxLength),
    JSON.stringify(outputs),
    JSON.stringify(open.heads.map((head) => [head.name, head.options])),
  ];
  return await sha256(parts.join("\n"));
}

async function computed(
  open: OpenRun,
  { outputs }: Teacher,
  samples: readonly Sample[],
  tell: (done: number) => Promise<void> | undefined,
): Promise<ReadonlyMap<string, TeacherOutput>> {
  const evaluator = openEvaluator(open, {
    outputHiddenStates: outputs.some((name) => name.startsWith("hiddenStates.")),
  });
  const lengths = samples.map((sample) => sample.sequences[0]?.length ?? 0);
  const found = new Map<string, TeacherOutput>();
  // Rows of like length together; where they stand does not matter to what comes out.
  const order = samples.map((_, i) => i).sort((a, b) => (lengths[a] ?? 0) - (lengths[b] ?? 0));
  const sorted = order.map((i) => ({ ...samples[i] as Sample, row: i }));
  try {
    let done = 0;
    for await (const batch of batchesInOrder(sorted, BATCH, open.layout)) {
      const result = await evaluator.run(batch, false);
      for (const name of outputs) {
        const output = result.outputs[name];
        if (!output) {
          throw missing("teacher", `output "${name}" (there are ${Object.keys(result.outputs)})`, "its task");
        }
        const perToken = name.startsWith("hiddenStates.");
        if (!perToken && output.dims[0] !== batch.samples) {
          throw unsupported("teacher", "outputs", name, "outputs of places are not distilled, only of whole rows");
        }
        const own = found.get(name) ?? allocateOutput(output, perToken, lengths);
        found.set(name, own);
        const { values, size, starts } = own;
        if (perToken) {
          for (let place = 0; place < batch.batch * batch.seq; place++) {
            const [sequence = -1, position = 0] = batch.tokenOrigins.subarray(2 * place, 2 * place + 2);
            if (sequence < 0) continue;
            const to = (starts[batch.rows[sequence] ?? 0] ?? 0) + position;
            values.set(output.data.subarray(place * size, (place + 1) * size), to * size);
          }
        } else {
          batch.rows.forEach((row, i) => values.set(output.data.subarray(i * size, (i + 1) * size), row * size));
        }
      }
      done += batch.samples;
      await tell(done);
    }
  } finally {
    await evaluator.close();
  }
  return found;
}

function allocateOutput({ dims }: Tensor, perToken: boolean, lengths: readonly number[]): TeacherOutput {
  const size = sizeOf(dims.slice(perToken ? 2 : 1));
  const starts = startsOf(perToken, lengths);
  return { values: new Float32Array((starts.at(-1) ?? 0) * size), size, starts, perToken };
}

function startsOf(perToken: boolean, lengths: readonly number[]): number[] {
  const starts = [0];
  for (const length of lengths) starts.push((starts.at(-1) ?? 0) + (perToken ? length : 1));
  return starts;
}

function withTargets(sample: Sample, length: number, i: number, outputs: ReadonlyMap<string, TeacherOutput>): Sample {
  const [sequence] = sample.sequences;
  if (!sequence) return sample;
  const fields: Record<string, Field> = { ...sequence.fields };
  const targets: Record<string, Field> = { ...sample.targets };
  for (const [name, { values, size, starts, perToken }] of outputs) {
    const data = values.subarray((starts[i] ?? 0) * size, (starts[i + 1] ?? 0) * size);
    if (!perToken) {
      targets[`teacher.${name}`] = { axis: "sample", data, padValue: 0, size };
      continue;
    }
    if (length !== sequence.length) {
      const what = `row ${sample.row}: the student's ${sequence.length} tokens`;
      throw badValue("teacher", what, length, "the same tokenizer as the teacher's, where hidden states are compared");
    }
    // No value is Infinity: every place of a sequence has a target, and padding has none.
    fields[`teacher.${name}`] = { axis: "token", data, padValue: 0, size, ignoreIndex: Infinity };
  }
  return { ...sample, sequences: [{ ...sequence, fields }, ...sample.sequences.slice(1)], targets };
}

async function save(cache: Store, key: string, outputs: ReadonlyMap<string, TeacherOutput>): Promise<void> {
  const tensors = [...outputs].map(([name, { values, size }]): [string, Tensor] => [
    name,
    { dtype: "float32", dims: [values.length / size, size], data: values },
  ]);
  await cache.put(key, writeSafetensors(Object.fromEntries(tensors)));
}

async function cached(
  cache: Store | undefined,
  key: string,
  samples: readonly Sample[],
  { outputs }: Teacher,
): Promise<ReadonlyMap<string, TeacherOutput> | undefined> {
  if (!cache || !await cache.get(key, { offset: 0, length: 0 })) return undefined;
  const file = await openSafetensors(cache, key);
  const lengths = samples.map((sample) => sample.sequences[0]?.length ?? 0);
  const found = new Map<string, TeacherOutput>();
  for (const name of outputs) {
    const { dims, data } = await file.read(name);
    const perToken = name.startsWith("hiddenStates.");
    found.set(name, {
      values: data as Float32Array,
      size: dims[1] ?? 1,
      starts: startsOf(perToken, lengths),
      perToken,
    });
  }
  return found;
}
