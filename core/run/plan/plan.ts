/** Plans of runs: memory, work and time of each part, estimated before the first step. */
import type { Parameter } from "../../engine/builder/parameters.ts";
import type { BuiltProgram } from "../../engine/engine_options.ts";
import { nothingTrains } from "../../base/errors.ts";
import { dimsWith } from "../../engine/feeds.ts";
import { dryRegularizers } from "../../engine/prepare.ts";
import { buildTraining } from "../../engine/task_programs.ts";
import { gradientCopies, isHalf, placeWeights } from "../../engine/placement.ts";
import { createRecomputer } from "../../engine/recompute.ts";
import { decodingBytes, type InitialWeights, initialWeights, savesTime, storedBytes } from "../../engine/weights.ts";
import { productsOf } from "../../engine/work.ts";
import { evaluateDim } from "../../graph/ops/dims.ts";
import { largestBatch, layOut } from "../../loop/layout.ts";
import { batchesPerEpoch, countSteps } from "../../loop/steps.ts";
import { createRandom } from "../../math/random.ts";
import { sizeOf } from "../../base/tensor.ts";
import type {
  Checkpoint,
  Dataset,
  FrozenPart,
  Host,
  Named,
  Plan,
  ProductPart,
  Run,
  TrainingArguments,
} from "../../types.ts";
import { epochOf } from "../rows/batches.ts";
import type { TaskRows } from "../rows/task_rows.ts";
import { encodeRows, estimateSamples, type MeasuredRows, measureSamples, trainData } from "../rows/data.ts";
import { labelledRows } from "../rows/labelled_rows.ts";
import { type EncodedRows, withFields } from "../rows/encoded_rows.ts";
import { PREPACK_LIMIT } from "./engine.ts";
import { activationBudget, memoryLimit, processBytes, STATE_BYTES } from "../open/memory.ts";
import { type OpenRun, openTasks } from "../open/open.ts";

/** Floating-point operations per second of one core in matrix products, for estimates of time. */
const FLOPS_PER_SECOND = 4e10;

/**
 * Estimates the memory, work and time of a run from the longest batches of its data. Encodes every row for that.
 *
 * @throws AttuneError if the run cannot be opened, or its task cannot read a row of the data.
 */
export async function planRun(run: Run, host: Host): Promise<Plan> {
  return await planMeasured(run, host, await measureTasks(run, host));
}

/**
 * Opens the tasks of a run and measures their rows for a plan.
 *
 * @throws AttuneError if the run cannot be opened, or its task cannot read a row of the data.
 */
export async function measureTasks(run: Run, host: Host): Promise<readonly PlannedTask[]> {
  const tasks: PlannedTask[] = [];
  for (const open of await openTasks(run, host)) {
    if (open.checkpoint.quantization) (await import("../open/quantized_base.ts")).refuseTrainedCodes(open);
    const rows = withFields(await labelledRows(open, trainData(open), { isSketch: true }), run.regularizers);
    const train = await measureSamples(rows, run.training.perDeviceTrainBatchSize);
    await rows.close?.();
    const tokensOf = async (dataset: Dataset | undefined): Promise<number> =>
      dataset ? (await (await encodeRows(open, dataset, true, { reading: rows.reading })).sizes()).total : 0;
    tasks.push({ open, train, evalTokens: await tokensOf(open.data.eval), testTokens: await tokensOf(open.data.test) });
  }
  return tasks;
}

/** Returns the plan of a run whose tasks' rows are measured. */
export async function planMeasured(run: Run, host: Host, tasks: readonly PlannedTask[]): Promise<Plan> {
  return (await planOfMeasured(run, host, tasks)).plan;
}

/** A plan, and the training program built for each task; undefined where a run cannot reuse the program. */
export type BuiltPlan = Readonly<{ plan: Plan; built: readonly (BuiltProgram | undefined)[] }>;

/** Returns the plan of a run whose rows are encoded. */
export async function planOf(run: Run, host: Host, tasks: readonly TaskRows[]): Promise<BuiltPlan> {
  const known: PlannedTask[] = [];
  const tokensOf = async (rows: EncodedRows | undefined): Promise<number> =>
    rows ? (await estimateSamples(rows, 0)).tokens : 0;
  for (const { open, train, evalRows, test } of tasks) {
    const sizes = await estimateSamples(train, run.training.perDeviceTrainBatchSize);
    known.push({ open, train: sizes, evalTokens: await tokensOf(evalRows), testTokens: await tokensOf(test) });
  }
  return await planOfMeasured(run, host, known);
}

/** An opened task, the measures of its training rows, and the number of tokens in its eval and test rows. */
export type PlannedTask = Readonly<{ open: OpenRun; train: MeasuredRows; evalTokens: number; testTokens: number }>;

async function planOfMeasured(run: Run, host: Host, tasks: readonly PlannedTask[]): Promise<BuiltPlan> {
  const { training } = run;
  const parameters = new Map<string, Parameter>();
  const trained = new Set<string>();
  const works: Work[] = [];
  for (const { open, train } of tasks) {
    const work = await workOf(open, train);
    for (const { parameter } of work.program.gradients) trained.add(parameter);
    for (const p of work.program.recorded.parameters.values()) parameters.set(p.name, p);
    works.push(work);
  }
  if (trained.size === 0) throw nothingTrains();
  const { frozen, fixed: frozenBytes } = frozenParts(works, trained);
  const products = productParts(tasks[0]?.open.checkpoint, trained);
  const codes = products.reduce((n, part) => n + part.bytes, 0);
  const count = (isTrained: boolean): number =>
    [...parameters.values()].filter((p) => trained.has(p.name) === isTrained).reduce((n, p) => n + sizeOf(p.shape), 0);
  const slots = (p: Parameter): number =>
    Object.values(run.optimizer.state(p.shape, p.name)).reduce((a, b) => a + b, 0);
  const prepared = works.reduce((n, work) => n + work.prepared, 0);
  const copied = works.reduce((n, work) => n + work.copiedBytes((name) => trained.has(name)), 0);
  const fixed = {
    ...frozenBytes,
    trainedWeights: 4 * count(true),
    gradients: 4 * count(true) * (training.gradientAccumulationSteps > 1 ? 2 : 1),
    optimizerState: 4 * [...parameters.values()].filter((p) => trained.has(p.name)).reduce((n, p) => n + slots(p), 0),
    ...(codes === 0 ? {} : { trainedCodes: codes }),
    ...(prepared === 0 ? {} : { regularizers: 4 * prepared }),
    ...copiesOf(copied, gradientCopies(4 * count(true), host.provider)),
  };
  const otherBytes = Object.values(fixed).reduce((a, b) => a + b, 0) + processBytes(0);
  const saves = works.some(({ program: { recorded }, initial }, i) =>
    savesTime(recorded.parameters.values(), initial, tasks[i]?.open.checkpoint ?? {})
  );
  const sessions = works.map((work) => work.recomputer(activationBudget(training, host, otherBytes, saves)));
  const bytes = {
    ...fixed,
    activations: Math.max(...sessions.map(({ peak }) => peak)),
    process: processBytes(sessions.reduce((n, { nodes }) => n + nodes, 0)),
  };
  const stateBytes = fixed.trainedWeights + fixed.gradients + fixed.optimizerState;
  const total = Object.values(bytes).reduce((a, b) => a + b, 0);
  const speed = FLOPS_PER_SECOND * (host.threads ?? 2);
  const { steps, tokens, flopsOf } = workload(run, tasks, works);
  const work = Object.fromEntries(
    Object.entries(flopsOf).map(([part, flops]) => [part, { flops, seconds: flops / speed }]),
  );
  const flops = Object.values(work).reduce((n, part) => n + part.flops, 0);
  const plan: Plan = {
    fits: total <= memoryLimit(training, host) && stateBytes <= STATE_BYTES,
    steps,
    tokens: Math.round(tokens),
    bytes: { ...bytes, total },
    frozen,
    ...(products.length === 0 ? {} : { products }),
    flops,
    seconds: flops / speed,
    work,
    trainableParameters: count(true),
    totalParameters: count(true) + count(false),
  };
  return { plan, built: works.map((work) => (work.isFinal ? work : undefined)) };
}

/** Returns a run's number of steps, their tokens, and the operations of each part, evaluations included. */
function workload(
  run: Run,
  tasks: readonly PlannedTask[],
  works: readonly Work[],
): Readonly<{ steps: number; tokens: number; flopsOf: Named<number> }> {
  const { perEpoch, shares } = epochOf(
    run,
    tasks.map(({ open, train }) => ({ name: open.task.name, samples: train.samples })),
  );
  const counts = countSteps(perEpoch, run.training);
  const batches = perEpoch * counts.total / counts.perEpoch;
  const flopsOf: Record<string, number> = {};
  const add = (part: string, flops: number): number => (flopsOf[part] = (flopsOf[part] ?? 0) + flops);
  let tokens = 0;
  for (const [i, { flops, evaluation, tokens: ofBatch }] of works.entries()) {
    const turns = (shares[i] ?? 0) * batches;
    tokens += ofBatch * turns;
    for (const [part, n] of Object.entries(flops)) add(part, n * turns);
    const { evalTokens = 0, testTokens = 0 } = tasks[i] ?? {};
    const evaluated = evalTokens * evaluations(run.training, counts, testTokens > 0) + testTokens * REPORTED;
    if (evaluation * evaluated > 0) add("evaluation", evaluation * evaluated);
  }
  return { steps: counts.total, tokens, flopsOf };
}

/** Returns a plan's entries for copies of weights and gradients, without those of zero bytes. */
function copiesOf(weightCopies: number, gradientCopies: number): Named<number> {
  return Object.fromEntries(Object.entries({ weightCopies, gradientCopies }).filter(([, bytes]) => bytes > 0));
}

/** Returns the frozen weights by storage format, and the bytes of these weights and their packed or decoded copies. */
function frozenParts(
  works: readonly Work[],
  trained: ReadonlySet<string>,
): Readonly<{ frozen: readonly FrozenPart[]; fixed: Named<number> }> {
  const parts = new Map<string, FrozenPart>();
  const names = new Set<string>(trained);
  let dequantizationBuffer = 0;
  for (const { program, initial, storedAs } of works) {
    const parameters = [...program.recorded.parameters.values()].filter((p) => !names.has(p.name));
    dequantizationBuffer = Math.max(dequantizationBuffer, decodingBytes(parameters, initial));
    for (const p of parameters) {
      names.add(p.name);
      const { storage, bytes, encoded } = storedAs(p);
      const before = parts.get(storage);
      parts.set(storage, {
        storage,
        weights: (before?.weights ?? 0) + 1,
        bytes: (before?.bytes ?? 0) + bytes,
        encoded,
      });
    }
  }
  const frozen = [...parts.values()].sort((a, b) => Number(b.encoded) - Number(a.encoded));
  const sum = (some: readonly FrozenPart[]): number => some.reduce((n, part) => n + part.bytes, 0);
  const packed = frozen.some((part) => part.encoded) ? 0 : sum(frozen);
  return {
    frozen,
    fixed: {
      frozenWeights: sum(frozen),
      ...(packed > 0 && packed <= PREPACK_LIMIT ? { packedWeights: packed } : {}),
      ...(dequantizationBuffer === 0 ? {} : { dequantizationBuffer }),
    },
  };
}

/** Returns the products over trained weights that are not computed in float32, by format; all tasks share them. */
function productParts(checkpoint: Checkpoint | undefined, trained: ReadonlySet<string>): readonly ProductPart[] {
  const parts = new Map<string, ProductPart>();
  for (const name of trained) {
    const product = checkpoint?.products?.of(name);
    if (!product) continue;
    const { label: format } = product.format;
    const { weights, bytes } = parts.get(format) ?? { weights: 0, bytes: 0 };
    parts.set(format, { format, weights: weights + 1, bytes: bytes + product.format.bytes(product.weight.dims) });
  }
  return [...parts.values()];
}

/** How often the reported rows are evaluated: at the end, and once before training. */
const REPORTED = 2;

/** How often eval rows are evaluated: by the strategy, at the end, and before training if there are no test rows. */
function evaluations(
  training: TrainingArguments,
  { total, perEpoch, epochs }: ReturnType<typeof countSteps>,
  tested: boolean,
): number {
  const { evalStrategy, evalSteps, loggingSteps } = training;
  const every = evalSteps ?? loggingSteps;
  const during = evalStrategy === "epoch"
    ? epochs
    : evalStrategy === "steps"
    ? Math.floor(total / Math.max(1, every < 1 ? every * total : every))
    : 0;
  const atEnd = during > 0 && (evalStrategy === "epoch" ? total % perEpoch === 0 : total % Math.max(1, every) === 0);
  return during + (atEnd ? 0 : 1) + (tested ? 0 : REPORTED - 1);
}

/** Returns a node's part of the model by its scope: backbone paths have a prefix, layers a number in the path. */
function partOf(scope: string, prefix: string): string {
  if (scope.startsWith("d.")) return "backward";
  if (/\.\d+(\.|$)/.test(scope)) return "layers";
  return scope.startsWith(prefix) ? "embeddings" : "head";
}

/**
 * A task's training program with its memory on the longest batch, operations (by part) and tokens of an average batch,
 * and operations per evaluated token (`evaluation`).
 */
type Work = Readonly<
  BuiltProgram & {
    /** Whether a run would build the same program. A plan has only placeholders for tensors of regularizers. */
    isFinal: boolean;
    flops: Named<number>;
    tokens: number;
    evaluation: number;
    /** Number of values that regularizers prepare before the first step. */
    prepared: number;
    /** Returns how a frozen parameter is stored. */
    storedAs(p: Parameter): Pick<FrozenPart, "storage" | "bytes" | "encoded">;
    initial: InitialWeights;
    /** Returns the extra bytes of weights that are decoded into memory, given which parameters train. */
    copiedBytes(isTrained: (name: string) => boolean): number;
  }
>;

async function workOf(open: OpenRun, { samples, tokens, longest }: MeasuredRows): Promise<Work> {
  const { training } = open.run;
  const batch = largestBatch(longest, training.perDeviceTrainBatchSize, open.layout);
  const example = layOut(longest.slice(0, 1), open.layout);
  const { backbone, heads, losses, attached, run: { accelerators } } = open;
  const labelSmoothing = training.labelSmoothingFactor;
  const model = { backbone, heads, losses, attached, accelerators, labelSmoothing, taskName: open.task.name };
  const how = { host: open.host, checkpointing: training.gradientCheckpointing, example, largest: batch };
  const random = createRandom(training.seed);
  const initial = initialWeights(open.checkpoint, open.attached, open.backbone, random);
  const plain = buildTraining(model, how);
  const regularizers = await dryRegularizers(open.run.regularizers, plain, initial.isNew);
  const program = regularizers.length === 0 ? plain : buildTraining(model, { ...how, regularizers });
  const dims = dimsWith(program.graph.inputs.keys(), batch);
  const all: Record<string, number> = {};
  for (const { node, multiplyAdds } of productsOf(program.graph)) {
    const part = partOf(node.scope, open.backbone.baseModelPrefix);
    all[part] = (all[part] ?? 0) + 2 * evaluateDim(multiplyAdds, dims);
  }
  const { perDeviceTrainBatchSize, dataloaderDropLast } = training;
  const usual = samples === 0 ? 0 : tokens / samples * perDeviceTrainBatchSize;
  const places = batch.batch * batch.seq;
  const share = batch.tokens === 0 ? 1 : Math.min(1, usual / places);
  const flops = Object.fromEntries(Object.entries(all).map(([part, n]) => [part, n * share]));
  const forward = Object.entries(all).reduce((n, [part, of]) => n + (part === "backward" ? 0 : of), 0);
  const evaluation = places === 0 ? 0 : forward / places;
  const prepared = regularizers.flatMap(({ frozen }) => Object.values(frozen)).reduce((n, t) => n + sizeOf(t.dims), 0);
  const perBatch = tokens / batchesPerEpoch(samples, perDeviceTrainBatchSize, dataloaderDropLast);
  const storedAs: Work["storedAs"] = (p) => {
    const bytes = storedBytes(p, initial, open.checkpoint);
    const encoded = initial.storageOf(p);
    if (encoded) return { storage: encoded.format.label, bytes, encoded: true };
    const name = initial.nameInCheckpoint(p);
    const dtype = name === undefined ? undefined : open.checkpoint.weights.locate(name)?.dtype;
    return { storage: isHalf(dtype) ? dtype : "float32", bytes, encoded: false };
  };
  const copiedBytes = (isFed: (name: string) => boolean): number =>
    placeWeights({
      parameters: program.recorded.parameters.values(),
      isFed,
      initial,
      checkpoint: open.checkpoint,
      provider: open.host.provider,
    }).copiedBytes;
  const isFinal = !open.run.regularizers.some((r) => r.prepare);
  const recomputer = createRecomputer(program, dims);
  return {
    program,
    recomputer,
    isFinal,
    flops,
    tokens: perBatch,
    evaluation,
    prepared,
    storedAs,
    initial,
    copiedBytes,
  };
}
