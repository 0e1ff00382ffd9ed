/** Describes a trained run, opened from its files, for exporters; and compares exported files with the run. */
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

/** Number of rows that a verification compares. */
const VERIFIED = 32;

/** Returns the trained tensors of an opened run. `figures`: its final metrics, for cards. */
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
    // Everything in an adapter's file is written to the next file too, whether it would train here or not.
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

/** Returns the largest output difference of two runs over eval or training rows. `labelled`: the rows have labels. */
export async function verifyExport(a: OpenRun, b: OpenRun, labelled = true): Promise<number> {
  return (await compareRuns(a, b, { labelled })).difference;
}

/** Differences of two runs over `rows` rows: the largest of an output, the relative one of all, and mean losses. */
export type RunDifference = Readonly<
  { difference: number; relative: number; losses: readonly [number, number]; rows: number }
>;

/** Compares the outputs of two runs like `verifyExport`, and with `losses` their mean losses, which needs labels. */
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

/** Returns the sum of a batch's mean losses, as in an evaluation. */
function meanLoss({ losses }: BatchResult): number {
  return Object.values(losses).reduce((sofar, { sum, count }) => sofar + (count > 0 ? sum / count : 0), 0);
}
