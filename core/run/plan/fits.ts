/** Checks before the first step that a run fits into its memory. */
import { refused } from "../../base/errors.ts";
import { sizeOf } from "../../base/tensor.ts";
import type { Host, Run } from "../../types.ts";
import type { TaskRows } from "../rows/task_rows.ts";
import { largestSamples } from "../rows/data.ts";
import { memoryLimit } from "../open/memory.ts";
import type { BuiltPlan } from "./plan.ts";

/**
 * Refuses a run that would not fit, and returns the programs built to find out, which the run reuses. If even a
 * generous upper bound of the memory fits, nothing is built, since that would take longer than the first steps.
 *
 * @throws AttuneError (`REFUSED`) if it would not fit.
 */
export async function checkFits(run: Run, host: Host, tasks: readonly TaskRows[]): Promise<BuiltPlan["built"]> {
  const limit = memoryLimit(run.training, host);
  const most = await Promise.all(tasks.map((task) => bytesAtMost(run, task)));
  if (most.every((bytes) => bytes * tasks.length < limit / 4)) return [];
  const { planOf } = await import("./plan.ts");
  const { plan: { fits, bytes: { total = 0 } }, built } = await planOf(run, host, tasks);
  if (fits) return built;
  const { inGigabytes, proposeFit } = await import("./fit.ts");
  const { fits: would, bytes, spec } = await proposeFit(run, host);
  const message =
    `The run takes ${inGigabytes(total)} of memory, but may take ${inGigabytes(limit)} (attune plan shows ` +
    `what for). ${would ? "It fits" : "Nothing makes it fit; the smallest is"} with ${JSON.stringify(spec)}, in ` +
    inGigabytes(bytes);
  throw refused("plan", message);
}

/** Upper bound of a task's bytes: 10 values per parameter; per position 300 per hidden unit of a layer, and logits. */
async function bytesAtMost({ training }: Run, { open: { backbone }, train }: TaskRows): Promise<number> {
  const parameters = Object.values(backbone.shapes).reduce((n, shape) => n + sizeOf(shape), 0);
  const samples = await largestSamples(train, training.perDeviceTrainBatchSize);
  const places = samples.map(({ sequences }) => sequences.reduce((n, s) => n + s.length + (s.decoderLength ?? 0), 0));
  const longest = places.reduce((a, b) => Math.max(a, b), 1);
  const perPlace = (backbone.layers.length + 2) * (300 * backbone.hiddenSize + 20 * backbone.numHeads * longest) +
    10 * backbone.vocabSize;
  return 4 * (10 * parameters + training.perDeviceTrainBatchSize * longest * perPlace);
}
