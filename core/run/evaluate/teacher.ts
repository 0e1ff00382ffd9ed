/**
 * A teacher's outputs as targets of the student's samples. They are computed before training as far as there is room to
 * keep them, and the others whenever they are needed.
 */
import { badValue, unsupported } from "../../base/errors.ts";
import { sha256 } from "../../base/sha256.ts";
import { VERSION } from "../../base/version.ts";
import type { Dataset, Field, Rows, Sample, Store, Task, Teacher } from "../../types.ts";
import { encodeRows, type ReadingOptions } from "../rows/data.ts";
import { type EncodedRows, mapSamples, rowsInOrder } from "../rows/encoded_rows.ts";
import { type OpenRun, openRun } from "../open/open.ts";
import { openTeacherOutputs, type TeacherOutputs } from "./teacher_outputs.ts";

/** Number of samples that are processed at a time before training. */
const AT_ONCE = 256;

/** Options of adding a teacher's outputs. `memoryBytes`: limit of outputs kept in memory. */
export type TeachingOptions =
  & Pick<ReadingOptions, "tell" | "what" | "isSketch">
  & Readonly<{ memoryBytes?: number | undefined }>;

/**
 * Returns rows whose samples have the teacher's outputs among their targets.
 *
 * @throws AttuneError if the teacher cannot be opened or lacks an output, or if outputs per token are used and its
 * tokens differ from the student's.
 */
export async function addTeacherTargets(
  open: OpenRun,
  teacher: Teacher,
  encoded: EncodedRows,
  { tell, what = "rows", isSketch, memoryBytes }: TeachingOptions = {},
): Promise<EncodedRows> {
  if (encoded.redrawn) {
    throw unsupported(
      "teacher",
      "task",
      open.task.taskType,
      "a teacher's outputs are computed once, but these samples change",
    );
  }
  const teacherRun = await openTeacher(open, teacher);
  const rows = await encodeRows(teacherRun, rowsAgain(encoded), false);
  if (rows.count !== encoded.count) {
    throw badValue("teacher", "its task", `${rows.count} samples`, `${encoded.count} samples, as the student's`);
  }
  const parts = await partsOf(teacherRun, teacher, encoded);
  const cache = cacheOf(open, teacher);
  const outputs = await openTeacherOutputs(teacherRun, teacher.outputs, rows, {
    cache,
    parts: [VERSION, ...parts],
    memoryBytes,
  });
  const withTeacher: EncodedRows = {
    ...mapSamples(encoded, async (samples, places) => {
      const targets = await outputs.at(places);
      return samples.map((sample, i) => withTargets(sample, targets[i] as Sample));
    }),
    fingerprint: await sha256(JSON.stringify(parts)),
    close: async () => {
      await outputs.close();
      await encoded.close?.();
    },
  };
  if (isSketch) return withTeacher;
  await lookThrough(withTeacher, outputs, async (done) => await tell?.(`${what}, the teacher`, done, encoded.count));
  const lacking = encoded.count - outputs.count();
  return lacking > 0
    ? { ...withTeacher, notes: [...encoded.notes, withoutRoom(lacking, encoded.count, cache)] }
    : withTeacher;
}

/** Returns the note about outputs that have no room and are computed again in each epoch. */
function withoutRoom(lacking: number, count: number, cache: Store | undefined): string {
  const room = cache
    ? "in the cache, which keeps 4 GiB of a data set"
    : "in memory, and there is no cache to keep them";
  return `the teacher's outputs for ${lacking} of ${count} samples have no room ${room}: they are computed anew in each epoch`;
}

/** Opens the teacher as a run. */
async function openTeacher({ run, host }: OpenRun, teacher: Teacher): Promise<OpenRun> {
  const task: Task = { kind: "task", name: "teacher", options: {}, subtasks: [teacher.task] };
  return await openRun(
    {
      ...run,
      spec: { ...run.spec, head: undefined, loss: undefined, collator: undefined, metrics: [] },
      model: run.use("model", teacher.model),
      tokenizer: run.use("tokenizer", teacher.tokenizer ?? "hf"),
      task,
      adapters: [],
      metrics: [],
    },
    host,
  );
}

/** Returns the store that keeps outputs: the teacher's `cache` folder, or the user's cache if there is one. */
function cacheOf({ host }: OpenRun, { cache }: Teacher): Store | undefined {
  if (cache === null) return undefined;
  return cache === undefined ? host.cache : host.directory?.(host.resolve?.(cache) ?? cache);
}

/**
 * Computes the outputs of all samples before training while there is room to keep them; later samples' are computed
 * when needed. This also checks before the first step that tokens agree.
 */
async function lookThrough(
  { count, samples }: EncodedRows,
  outputs: TeacherOutputs,
  tell: (done: number) => Promise<void>,
): Promise<void> {
  for (let start = 0; start < count; start += AT_ONCE) {
    const places = Array.from({ length: Math.min(AT_ONCE, count - start) }, (_, i) => start + i);
    const wasWhole = outputs.count() >= count;
    await samples(places);
    if (wasWhole) break;
    await tell(start + places.length);
    if (!await outputs.has(places.at(-1) ?? 0)) break;
  }
  await outputs.release();
}

function rowsAgain(encoded: EncodedRows): Dataset {
  const { rowCount: length, rows: at, fingerprint } = encoded;
  const read = async function* (): ReturnType<Rows["read"]> {
    for await (const { row, number } of rowsInOrder(encoded)) yield { row, next: { at: number + 1 } };
  };
  return { kind: "data", name: "rows", options: {}, open: () => Promise.resolve({ length, fingerprint, read, at }) };
}

/** Returns everything that outputs depend on. */
async function partsOf(
  teacherRun: OpenRun,
  { outputs }: Teacher,
  { fingerprint }: EncodedRows,
): Promise<readonly unknown[]> {
  return [
    await teacherRun.checkpoint.fingerprint(),
    teacherRun.tokenizer.fingerprint,
    fingerprint,
    teacherRun.run.training.maxLength,
    outputs,
    teacherRun.heads.map((head) => [head.name, head.options]),
  ];
}

/** Adds the teacher's outputs to a sample: outputs per position to its sequence's fields, others to its targets. */
function withTargets(sample: Sample, { sequences: [teacherSequence], targets }: Sample): Sample {
  const [sequence] = sample.sequences;
  if (!sequence || !teacherSequence) return sample;
  const fields: Record<string, Field> = { ...sequence.fields };
  for (const [name, field] of Object.entries(teacherSequence.fields)) {
    if (teacherSequence.length !== sequence.length) {
      const what = `row ${sample.row}: the student's ${sequence.length} tokens`;
      throw badValue("teacher", what, teacherSequence.length, "the teacher's tokenizer, to compare hidden states");
    }
    // No value equals Infinity, so every position of a sequence has a target, and only padding is ignored.
    fields[name] = { ...field, ignoreIndex: Infinity };
  }
  const [, ...others] = sample.sequences;
  return { ...sample, sequences: [{ ...sequence, fields }, ...others], targets: { ...sample.targets, ...targets } };
}
