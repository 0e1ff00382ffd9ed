/**
 * The micro-batches of each step and their tasks. They depend only on the seed and the step, so that resuming needs no
 * state.
 */
import { badValue } from "../../base/errors.ts";
import { layOut } from "../../loop/layout.ts";
import { batchesPerEpoch } from "../../loop/steps.ts";
import { createRandom } from "../../math/random.ts";
import { type EpochOrder, orderOfEpoch } from "../../data/sampling.ts";
import type { Batch, Named, Run } from "../../types.ts";
import type { EncodedRows } from "./encoded_rows.ts";
import type { OpenRun } from "../open/open_run.ts";
import type { TaskRows } from "./task_rows.ts";

/** The micro-batches of a run's steps. `perEpoch`: micro-batches of an epoch, the sum over the rows of all tasks. */
export type BatchPlan = Readonly<{
  perEpoch: number;
  /** Each task's share of all micro-batches; the shares sum to 1. */
  shares: readonly number[];
  /** Returns the micro-batches of step `index` of `epoch`; both count from 0. */
  of(epoch: number, index: number): Promise<readonly Batch[]>;
}>;

/**
 * Returns the batch plan of a run. Each task goes through its own rows in its own epochs. Tasks take turns in
 * proportion to the task's `sampling` (by default their numbers of rows): drawn at random, or, with sequential
 * sampling, in an order that keeps every task as close to its share as possible.
 */
export function batchPlan(run: Run, tasks: readonly TaskRows[]): BatchPlan {
  const { training } = run;
  const sources = tasks.map(({ open, train }) => batchesOfTask(open, train));
  const { perEpoch, shares } = epochOf(
    run,
    tasks.map(({ open, train }) => ({ name: open.task.name, samples: train.count })),
  );
  const turns = turnsOf(shares, run);
  return {
    perEpoch,
    shares,
    of: async (epoch, index) => {
      const first = index * training.gradientAccumulationSteps;
      const batches: Batch[] = [];
      for (let b = first; b < Math.min(first + training.gradientAccumulationSteps, perEpoch); b++) {
        const { task, earlier } = turns(epoch * perEpoch + b);
        const source = sources[task];
        if (source) batches.push(await source.at(Math.floor(earlier / source.count), earlier % source.count));
      }
      return batches;
    },
  };
}

/** Returns the number of micro-batches of an epoch, and each task's share of them. */
export function epochOf(
  run: Run,
  tasks: readonly Readonly<{ name: string; samples: number }>[],
): Pick<BatchPlan, "perEpoch" | "shares"> {
  const rows = Object.fromEntries(tasks.map(({ name, samples }) => [name, samples]));
  return {
    perEpoch: tasks.reduce((n, task) => n + countOf(run, task), 0),
    shares: sharesOf(tasks.map(({ name }) => name), run.task.sampling?.(rows) ?? rows),
  };
}

/** Returns the number of micro-batches of a task's rows. Throws AttuneError if there are none. */
function countOf({ training }: Run, { name, samples }: Readonly<{ name: string; samples: number }>): number {
  const { perDeviceTrainBatchSize: size, dataloaderDropLast } = training;
  if (dataloaderDropLast && samples < size) {
    const actual = `true, with ${samples} rows ${name === "" ? "" : `of task "${name}" `}and batches of ${size}`;
    const allowed = "false, or as many rows as a batch: nothing is left to train on";
    throw badValue("spec", "training.dataloaderDropLast", actual, allowed);
  }
  return batchesPerEpoch(samples, size, dataloaderDropLast);
}

/** Returns each task's share of all micro-batches. */
function sharesOf(names: readonly string[], weights: Named<number>): number[] {
  const shares = names.map((name) => weights[name] ?? 0);
  const total = shares.reduce((a, b) => a + b, 0);
  return shares.map((weight) => weight / total);
}

/** Returns the task of micro-batch n, and how many earlier micro-batches that task had. */
function turnsOf(shares: readonly number[], run: Run): (n: number) => Readonly<{ task: number; earlier: number }> {
  const { training } = run;
  const random = createRandom(training.dataSeed ?? training.seed).fork("tasks");
  if (shares.length === 1) return (n) => ({ task: 0, earlier: n });
  const turns: number[] = [];
  const earlier: number[] = [];
  const had = shares.map(() => 0);
  const next = (n: number): number => {
    if (training.trainSamplingStrategy === "sequential") {
      const lag = shares.map((share, i) => share * (n + 1) - (had[i] ?? 0));
      return lag.indexOf(Math.max(...lag));
    }
    let left = random.uniform(n);
    const place = shares.findIndex((share) => (left -= share) < 0);
    return place >= 0 ? place : shares.findLastIndex((share) => share > 0);
  };
  return (n) => {
    while (turns.length <= n) {
      const task = next(turns.length);
      turns.push(task);
      earlier.push(had[task] ?? 0);
      had[task] = (had[task] ?? 0) + 1;
    }
    return { task: turns[n] ?? 0, earlier: earlier[n] ?? 0 };
  };
}

/** The batches of one task, in a seeded order for each of its epochs. */
function batchesOfTask(
  open: OpenRun,
  rows: EncodedRows,
): Readonly<{ count: number; at(epoch: number, index: number): Promise<Batch> }> {
  const { training } = open.run;
  const { name } = open.task;
  const seeded = createRandom(training.dataSeed ?? training.seed);
  const random = name === "" ? seeded.fork("order") : seeded.fork("order", name);
  const size = training.perDeviceTrainBatchSize;
  let known: { epoch: number; order: Promise<EpochOrder> } | undefined;
  const orderOf = async (epoch: number): Promise<EpochOrder> => {
    const strategy = training.trainSamplingStrategy;
    const lengths = strategy === "group_by_length" ? (await rows.sizes()).tokens : undefined;
    const options = { count: rows.count, strategy, batchSize: size, random: random.fork(epoch) };
    return orderOfEpoch(lengths ? { ...options, lengths } : options);
  };
  return {
    count: countOf(open.run, { name, samples: rows.count }),
    at: async (epoch, index) => {
      if (known?.epoch !== epoch) known = { epoch, order: orderOf(epoch) };
      const order = await known.order;
      const places = [...order(index * size, (index + 1) * size)];
      return layOut(await rows.samples(places, epoch), open.layout);
    },
  };
}
