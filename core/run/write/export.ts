/** A trained run, opened from its files, as exporters want it; and the proof that what they wrote is the same. */
import { inspect } from "../../engine/inspect.ts";
import type { BatchResult } from "../../engine/evaluator.ts";
import { trainsRule } from "../../engine/builder/parameters.ts";
import { initialWeights } from "../../engine/weights.ts";
import { createRandom } from "../../math/random.ts";
import type { Tensor, TrainedModel } from "../../types.ts";
import { encodeRows } from "../rows/data.ts";
import { batchesInOrder } from "../rows/ordered_batches.ts";
import { inOrder } from "../rows/encoded_rows.ts";
import { openEvaluator } from "../evaluate/infer.ts";
import type { FinalFigures } from "./final_figures.ts";
import type { OpenRun } from "../open/open.ts";
import { modelCard } from "./write.ts";

/** Rows that a verification compares. */
const VERIFIED = 32;

/** The trained tensors of an opened run. `figures`: those that it ended with, for cards. */
export async function describeTrainedModel(
  open: OpenRun,
  figures: FinalFigures = { metrics: {} },
): Promise<TrainedModel> {
  const { checkpoint, backbone, task, attached, run } = open;
  const trains = trainsRule(attached);
  const { parameters } = inspect(open);
  const grownParameters = new Set(checkpoint.grownParameters ?? []);
  const saved = new Set(attached.flatMap((a) => a.weights?.names ?? []));
  const initial = initialWeights(checkpoint, attached, backbone, createRandom(run.training.seed));
  const read = async (name: string): Promise<Tensor<Float32Array>> => {
    const p = parameters.get(name);
    if (!p) throw new RangeError(`No parameter "${name}"`);
    return await initial.read(p);
  };
  return {
    base: checkpoint,
    backbone,
    task,
    attached,
    // What an adapter's file has is in the next one too, whether anything here would train it or not.
    trained: [...parameters.values()]
      .filter((p) => !p.frozen && (trains(p.name, p.adapter) || saved.has(p.name) || grownParameters.has(p.name))).map((
        p,
      ) => p.name),
    all: Object.fromEntries([...parameters.values()].map((p) => [p.name, { shape: p.shape, adapter: p.adapter }])),
    read,
    metrics: figures.metrics,
    card: modelCard(open, figures),
    modelCard: modelCard(open, figures, true),
  };
}

/** The largest difference of an output between two opened runs, over rows of the evaluation data or, without, made-up ids. `labelled`: its rows have labels. */
export async function verifyExport(a: OpenRun, b: OpenRun, labelled = true): Promise<number> {
  return (await compareRuns(a, b, { labelled })).difference;
}

/** How two runs differ over so many rows: the most of any output, all outputs beside their size, and the losses of each where they were asked for. */
export type RunDifference = Readonly<
  { difference: number; relative: number; losses: readonly [number, number]; rows: number }
>;

/** What `verifyExport` compares, with `losses` also the mean loss of each run: rows need labels then. */
export async function compareRuns(
  a: OpenRun,
  b: OpenRun,
  { labelled, losses = false }: Readonly<{ labelled: boolean; losses?: boolean }>,
): Promise<RunDifference> {
  const data = a.run.data.eval ?? a.run.data.train;
  const unknown: RunDifference = { difference: NaN, relative: NaN, losses: [NaN, NaN], rows: 0 };
  if (!data) return unknown;
  const samples = await encodeRows(a, data, labelled);
  const [left, right] = [openEvaluator(a), openEvaluator(b)];
  let [difference, changed, same, rows, total] = [0, 0, 0, 0, 0];
  const sums: [number, number] = [0, 0];
  try {
    for await (const batch of batchesInOrder(inOrder(samples, VERIFIED), 8, a.layout)) {
      const [x, y] = [await left.run(batch, losses), await right.run(batch, losses)];
      for (const [name, { data }] of Object.entries(x.outputs)) {
        const other = y.outputs[name]?.data;
        data.forEach((value, i) => {
          const change = Math.abs(value - (other?.[i] ?? NaN));
          difference = Math.max(difference, change);
          changed += change ** 2;
          same += value ** 2;
        });
        if (!other || other.length !== data.length) return unknown;
      }
      const weight = batch.weight ?? batch.samples;
      [x, y].forEach((result, i) => (sums[i] = (sums[i] ?? 0) + weight * meanLoss(result)));
      [rows, total] = [rows + batch.samples, total + weight];
    }
  } finally {
    await left.close();
    await right.close();
  }
  const relative = same === 0 ? 0 : Math.sqrt(changed / same);
  return { difference, relative, losses: losses ? [sums[0] / total, sums[1] / total] : [NaN, NaN], rows };
}

/** The losses of a batch, each a mean, added up: as an evaluation has them. */
function meanLoss({ losses }: BatchResult): number {
  return Object.values(losses).reduce((sofar, { sum, count }) => sofar + (count > 0 ? sum / count : 0), 0);
}
