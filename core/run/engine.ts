/**
 * The engine of a run's tasks.
 * @module
 */
import { createEngine, type Engine } from "../engine/engine.ts";
import type { BuiltProgram } from "../engine/engine_options.ts";
import { missing } from "../errors.ts";
import { largestBatch, layOut } from "../loop/layout.ts";
import type { TaskRows } from "./batches.ts";
import { activeIds, type EncodedRows, labelledRows } from "./data.ts";
import { activationBudget, processBytes } from "./memory.ts";
import { readsText } from "./metrics.ts";
import type { OpenRun } from "./open.ts";

/** Frozen weights up to this size are packed for the matrix products: one more copy of them in memory. */
export const PREPACK_LIMIT: number = 256 * 2 ** 20;

/** Opens the engine of one task for given rows. */
export async function createRunEngine(
  open: OpenRun,
  train: EncodedRows,
  held: EncodedRows | undefined,
): Promise<Engine> {
  return await createTaskEngine([{ open, train, held }]);
}

/** Opens the engine of a run's tasks; `built`: the programs of each that a plan has built. Throws AttuneError where there is none. */
export async function createTaskEngine(
  tasks: readonly TaskRows[],
  built: readonly (BuiltProgram | undefined)[] = [],
): Promise<Engine> {
  const [first] = tasks;
  if (!first) throw missing("spec", "a task", "the run");
  const { run, host, checkpoint, backbone } = first.open;
  const { training } = run;
  return await createEngine({
    host,
    checkpoint,
    backbone,
    tasks: tasks.map(({ open, train }, i) => ({
      name: open.task.name,
      heads: open.heads,
      losses: open.losses,
      weight: open.task.weight ?? 1,
      attached: open.attached,
      example: layOut(train.samples.slice(0, 1), open.layout),
      largest: largestBatch(train.samples, training.perDeviceTrainBatchSize, open.layout),
      reads: open.task.evaluationOutputs,
      built: built[i],
      rowsOf: async function* (data) {
        for (const sample of (await labelledRows(open, data)).samples) yield layOut([sample], open.layout);
      },
    })),
    regularizers: run.regularizers,
    optimizer: run.optimizer,
    learningRate: training.learningRate,
    labelSmoothing: training.labelSmoothingFactor,
    checkpointing: training.gradientCheckpointing,
    accumulates: training.gradientAccumulationSteps > 1,
    seed: training.seed,
    // Other epochs may name other ids where samples are drawn, and generated text any.
    activeRows: tasks.some(({ open, train }) => train.drawn || open.metrics.some((m) => readsText(open, m)))
      ? new Map()
      : activeIds(tasks.flatMap(({ train, held, test }) => [train, held, test].flatMap((rows) => rows?.samples ?? []))),
    prepackLimit: PREPACK_LIMIT,
    activationBudget: (elseBytes) => activationBudget(training, elseBytes + processBytes(0)),
  });
}
