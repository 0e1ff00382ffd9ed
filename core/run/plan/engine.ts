/** The engine of a run's tasks. */
import { createEngine, type Engine } from "../../engine/engine.ts";
import type { BuiltProgram } from "../../engine/engine_options.ts";
import { missing, nothingTrains } from "../../base/errors.ts";
import { layOut } from "../../loop/layout.ts";
import type { Batch, Sample } from "../../types.ts";
import { splitsOf, type TaskRows } from "../rows/task_rows.ts";
import { largestSamples } from "../rows/data.ts";
import { labelledRows } from "../rows/labelled_rows.ts";
import { type EncodedRows, inOrder } from "../rows/encoded_rows.ts";
import { activationBudget, processBytes } from "../open/memory.ts";
import { readsText } from "../evaluate/metrics.ts";
import type { OpenRun } from "../open/open.ts";

/** Bytes of frozen weights up to which they are packed for matrix products, which keeps a second copy in memory. */
export const PREPACK_LIMIT: number = 256 * 2 ** 20;

/** Opens the engine of one task for the given rows. */
export async function createRunEngine(
  open: OpenRun,
  train: EncodedRows,
  evalRows: EncodedRows | undefined,
): Promise<Engine> {
  return await createTaskEngine([{ open, train, evalRows }]);
}

/** Opens the engine of a run's tasks, with programs that a plan has `built`. Throws AttuneError if there is no task. */
export async function createTaskEngine(
  tasks: readonly TaskRows[],
  built: readonly (BuiltProgram | undefined)[] = [],
): Promise<Engine> {
  const [first] = tasks;
  if (!first) throw missing("spec", "a task", "the run");
  const { run, host, checkpoint, backbone } = first.open;
  const { training } = run;
  const batches = await Promise.all(tasks.map(({ open, train }) => batchesFor(open, train)));
  const engine = await createEngine({
    host,
    checkpoint,
    backbone,
    tasks: tasks.map(({ open }, i) => ({
      name: open.task.name,
      heads: open.heads,
      losses: open.losses,
      weight: open.task.weight ?? 1,
      attached: open.attached,
      ...batches[i] as Awaited<ReturnType<typeof batchesFor>>,
      reads: open.task.evaluationOutputs,
      built: built[i],
      rowsOf: async function* (data) {
        const rows = await labelledRows(open, data);
        for await (const sample of inOrder(rows)) yield layOut([sample], open.layout);
        await rows.close?.();
      },
    })),
    regularizers: run.regularizers,
    accelerators: run.accelerators,
    optimizer: run.optimizer,
    learningRate: training.learningRate,
    labelSmoothing: training.labelSmoothingFactor,
    checkpointing: training.gradientCheckpointing,
    accumulates: training.gradientAccumulationSteps > 1,
    seed: training.seed,
    activeRows: async () => namesAny(tasks) ? new Map() : await activeIds(samplesOf(tasks)),
    prepackLimit: PREPACK_LIMIT,
    activationBudget: (otherBytes, savesTime) =>
      activationBudget(training, host, otherBytes + processBytes(0), savesTime),
  });
  if (engine.trainableParameters > 0) return engine;
  await engine.close();
  throw nothingTrains();
}

/** Returns batches that show the engine what to expect: one sample, and the largest batch. */
async function batchesFor(
  { run, layout }: OpenRun,
  train: EncodedRows,
): Promise<Readonly<{ example: Batch; largest: Batch }>> {
  const size = run.training.perDeviceTrainBatchSize;
  return {
    example: layOut(await train.samples([0]), layout),
    largest: layOut(await largestSamples(train, size), layout),
  };
}

/** Tokens up to which all rows are encoded before the first step just to find the token ids they contain. */
const ASKED_TOKENS = 2 ** 20;

/**
 * Whether any token id may occur: samples that are redrawn each epoch may contain other ids, generated text may contain
 * any, and with a lot of text it takes longer to find the ids than it saves.
 */
function namesAny(tasks: readonly TaskRows[]): boolean {
  const tokens = tasks.flatMap(splitsOf).reduce(
    (n, [, { looked, count }]) => n + looked.total * count / looked.count,
    0,
  );
  return tokens > ASKED_TOKENS ||
    tasks.some(({ open, train }) => train.redrawn || open.metrics.some((m) => readsText(open, m)));
}

async function* samplesOf(tasks: readonly TaskRows[]): AsyncIterable<Sample> {
  for (const [, rows] of tasks.flatMap(splitsOf)) yield* inOrder(rows);
}

/** Returns the sorted distinct token ids of samples, padding included: the same list for `input_ids` of both sides. */
async function activeIds(samples: AsyncIterable<Sample>): Promise<Map<string, Int32Array>> {
  const sides = ["input_ids", "decoder_input_ids"];
  const visited = new Set<number>();
  const columns = new Set<string>();
  for await (const sample of samples) {
    for (const { fields } of sample.sequences) {
      for (const side of sides) {
        const field = fields[side];
        if (!field) continue;
        columns.add(side);
        visited.add(field.padValue);
        for (const id of field.data) visited.add(id);
      }
    }
  }
  const ids = Int32Array.from([...visited].sort((a, b) => a - b));
  return new Map([...columns].map((side) => [side, ids]));
}
