/**
 * What a run will take, part by part, before step one.
 * @module
 */
import { trainsRule } from "../engine/program.ts";
import { buildProgram, type ProgramOptions } from "../engine/program.ts";
import { dryRegularizers } from "../engine/prepare.ts";
import { initialWeights } from "../engine/weights.ts";
import { createRandom } from "../random.ts";
import { layOut } from "../loop/layout.ts";
import { batchesPerEpoch, countSteps } from "../loop/steps.ts";
import { evaluateDim } from "../graph/dims.ts";
import { reachable } from "../graph/graph.ts";
import { sizeOf } from "../tensor.ts";
import type { Host, Plan, Run, Sample } from "../types.ts";
import { dimsWith } from "../engine/feeds.ts";
import { encodeRows, withFields } from "./data.ts";
import { openRun } from "./open.ts";

/** Floating-point operations that one core does in a second in matrix products, for the estimate of time. */
const FLOPS_PER_SECOND = 4e10;

/** Share of the memory of the machine that a run may take. */
const MEMORY_SHARE = 0.9;

/** Estimates memory, work and time of a run on the longest batch that its data makes. */
export async function planRun(run: Run, host: Host): Promise<Plan> {
  const open = await openRun(run, host);
  const { training } = run;
  const rows = run.data.train ? withFields(await encodeRows(open, run.data.train, true), run.regularizers) : undefined;
  const tokensOf = ({ sequences: [first] }: Sample): number => (first?.length ?? 0) + (first?.decoderLength ?? 0);
  const longest = [...(rows?.samples ?? [])].sort((a, b) => tokensOf(b) - tokensOf(a));
  const batch = layOut(longest.slice(0, training.perDeviceTrainBatchSize), open.layout);
  const options: ProgramOptions = {
    mode: "train",
    trunk: open.trunk,
    heads: open.heads,
    losses: open.losses,
    attached: open.attached,
    labelSmoothing: training.labelSmoothingFactor,
    checkpointing: training.gradientCheckpointing,
    trains: trainsRule(open.attached),
    targets: batch.inputs,
    given: Object.keys(batch.inputs),
  };
  const random = createRandom(training.seed);
  const initial = initialWeights(open.checkpoint, open.attached, open.trunk.baseModelPrefix, random);
  const plain = buildProgram(options);
  const regularizers = await dryRegularizers(run.regularizers, plain, initial.isNew);
  const program = regularizers.length === 0 ? plain : buildProgram({ ...options, regularizers });
  const held = regularizers.flatMap(({ frozen }) => Object.values(frozen));
  const trained = new Set(program.gradients.map((g) => g.parameter));
  const parameters = [...program.recorded.parameters.values()];
  const count = (own: boolean): number =>
    parameters.filter((p) => trained.has(p.name) === own).reduce((n, p) => n + sizeOf(p.shape), 0);
  const slots = (p: (typeof parameters)[number]): number =>
    Object.values(run.optimizer.state(p.shape, p.name)).reduce((a, b) => a + b, 0);
  const dims = dimsWith(program.graph.inputs.keys(), batch);
  const size = (shape: readonly (number | string)[]): number =>
    shape.reduce<number>((n, d) => n * evaluateDim(d, dims), 1);
  const nodes = reachable([...program.graph.outputs.values()]);
  let activations = 0;
  let flops = 0;
  for (const node of nodes) {
    for (const v of node.outputs) activations += 4 * size(v.shape);
    if (node.op === "Gemm" || node.op === "MatMul" || node.op === "FusedMatMul") {
      const [a, out] = [node.inputs[0], node.outputs[0]];
      const transA = "transA" in node.attrs && node.attrs.transA === 1;
      const inner = a?.shape.at(transA ? -2 : -1) ?? 1;
      flops += 2 * size(out?.shape ?? []) * evaluateDim(inner, dims);
    }
  }
  // Buffers are reused: of all values about a third is alive at the peak of a forward and backward pass.
  activations = Math.round(activations * (training.gradientCheckpointing ? 0.12 : 0.35));
  const bytes = {
    frozenWeights: 4 * count(false),
    trainedWeights: 4 * count(true),
    gradients: 4 * count(true) * (training.gradientAccumulationSteps > 1 ? 2 : 1),
    optimizerState: 4 * parameters.filter((p) => trained.has(p.name)).reduce((n, p) => n + slots(p), 0),
    ...(held.length === 0 ? {} : { regularizers: 4 * held.reduce((n, t) => n + sizeOf(t.dims), 0) }),
    activations,
  };
  const total = Object.values(bytes).reduce((a, b) => a + b, 0);
  const steps = rows
    ? countSteps(
      batchesPerEpoch(rows.samples.length, training.perDeviceTrainBatchSize, training.dataloaderDropLast),
      training,
    ).total
    : 0;
  const mean = rows ? rows.samples.reduce((n, s) => n + (s.sequences[0]?.length ?? 0), 0) / rows.samples.length : 0;
  const share = batch.tokens === 0
    ? 1
    : Math.min(1, (mean * training.perDeviceTrainBatchSize) / (batch.batch * batch.seq));
  const totalFlops = flops * share * steps * training.gradientAccumulationSteps;
  return {
    fits: total <= MEMORY_SHARE * host.memoryBytes,
    bytes: { ...bytes, total },
    flops: totalFlops,
    seconds: totalFlops / (FLOPS_PER_SECOND * (host.threads ?? 2)),
    trainableParameters: count(true),
    totalParameters: count(true) + count(false),
  };
}
