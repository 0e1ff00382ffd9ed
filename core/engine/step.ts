/** A training step: the gradients of micro-batches are accumulated in the state's memory, clipped, and applied. */
import { releaseBuffer } from "../base/bytes.ts";
import type { Random } from "../math/random.ts";
import type { Batch, Named, Ort, OrtTensor } from "../types.ts";
import { type CompiledProgram, lossIn, type Results } from "./compile.ts";
import type { EngineOptions, EngineTask } from "./engine_options.ts";
import { lossFactors } from "./factors.ts";
import { frozenName, type Program, type TaskLoss } from "./program.ts";
import type { StepHooks } from "./step_hooks.ts";
import type { TrainableParameter } from "./state/memory.ts";
import type { State } from "./state/state.ts";
import { addTableRows } from "./table_rows.ts";
import type { TaskParameters, TaskProgram } from "./task_programs.ts";

/** The result of a step. `losses`: by name, averaged over the step; `multiplyAdds`: the useful ones (`work.ts`). */
export type StepResult = Readonly<{
  loss: number;
  losses: Named<number>;
  gradNorm: number;
  skipped: boolean;
  /** Whether a gradient was not finite before unscaling, which means that the loss scale was too large. */
  overflowed: boolean;
  multiplyAdds: number;
}>;

/** The step's number, rates and scales. `lossScale`: the factor of the loss, and the inverse for its gradients. */
export type StepAt = Readonly<
  {
    step: number;
    totalSteps?: number;
    learningRate: number;
    factor?: number;
    maxGradNorm: number;
    lossScale?: Readonly<{ scale: number; inverse: number }> | undefined;
  }
>;

/** Everything that steps work with, created once when the engine opens. */
export type Trainer = Readonly<{
  options: EngineOptions;
  random: Random;
  programs: readonly TaskProgram[];
  compiled: readonly CompiledProgram[];
  /** Useful multiply-adds of a batch, by task. */
  work: readonly ((batch: Batch) => number)[];
  parameters: TaskParameters["parameters"];
  state: State;
  trained: ReadonlyMap<string, TrainableParameter>;
  /** The inputs of each program besides a batch's: trained parameters and regularizers' frozen tensors. */
  inputs: readonly Named<OrtTensor>[];
  buffers: GradientBuffers;
  /** The index of each id among a table's active rows, by graph input. */
  renumber: ReadonlyMap<string, Int32Array>;
  hooks: StepHooks;
}>;

/** The buffers that sessions write gradients to: for a parameter's first micro-batch, and for further ones. */
export type GradientBuffers = Readonly<{
  first: ReadonlyMap<string, OrtTensor>;
  further: ReadonlyMap<string, OrtTensor>;
}>;

/** Creates tensors over the state's memory. */
export function bindGradientBuffers(state: State, lib: Ort, accumulates: boolean): GradientBuffers {
  const bind = (of: (t: TrainableParameter) => Float32Array): ReadonlyMap<string, OrtTensor> =>
    new Map(state.trained.map((t) => [t.name, new lib.Tensor("float32", of(t), t.shape)]));
  const first = bind((t) => t.span.gradient);
  return { first, further: accumulates ? bind((t) => state.accumulator(t.name)) : first };
}

/** Returns regularizers' frozen tensors as inputs. */
export function bindConstants({ regularizers }: TaskProgram, lib: Ort): Named<OrtTensor> {
  return Object.fromEntries(
    regularizers.flatMap(({ name, frozen }) =>
      Object.entries(frozen).map(([key, t]) => [frozenName(name, key), new lib.Tensor("float32", t.data, t.dims)])
    ),
  );
}

/** Takes one optimizer step; `numbers`: the task of each micro-batch. */
export async function trainStep(
  trainer: Trainer,
  batches: readonly Batch[],
  numbers: readonly number[],
  at: StepAt,
): Promise<StepResult> {
  const { options: { tasks }, state, work } = trainer;
  state.present("trained");
  const active = new Set(numbers);
  const cleared = clearRowGradients(trainer, active);
  const factors = lossFactors(numbers.map((i) => tasks[i] as EngineTask), batches);
  const losses: Record<string, number> = {};
  for (const task of tasks) for (const loss of task.losses) losses[lossName(task, loss)] = 0;
  let [sequence, multiplyAdds] = [0, 0];
  for (const [i, batch] of batches.entries()) {
    const number = numbers[i] ?? 0;
    const scales = { ofLosses: factors[i] ?? {}, ofTerms: 1 / batches.length };
    const micro = { number, batch, scales, step: at.step, sequence, lossScale: at.lossScale };
    const results = await runMicroBatch(trainer, micro, cleared);
    addLosses(trainer.programs[number] as TaskProgram, results, losses);
    sequence += batch.sequences;
    multiplyAdds += work[number]?.(batch) ?? 0;
  }
  const gradNorm = state.gradNorm(active, at.lossScale?.inverse);
  const loss = Object.values(losses).reduce((a, b) => a + b, 0);
  const skipped = !Number.isFinite(gradNorm);
  const overflowed = at.lossScale !== undefined && Number.isNaN(gradNorm);
  if (!skipped) applyUpdate(trainer, at, gradNorm, active);
  return { loss, losses, gradNorm, skipped, overflowed, multiplyAdds };
}

/** Zeroes gradients that come as rows alone, to which rows are then added; returns the names of their parameters. */
function clearRowGradients({ programs, trained }: Trainer, active: ReadonlySet<number>): Set<string> {
  const names = new Set<string>();
  for (const i of active) {
    for (const { parameter, dense } of programs[i]?.program.gradients ?? []) {
      if (dense !== undefined || names.has(parameter)) continue;
      trained.get(parameter)?.span.gradient.fill(0);
      names.add(parameter);
    }
  }
  return names;
}

type MicroBatch = Readonly<{
  number: number;
  batch: Batch;
  /** The factors of losses, and of terms besides the losses, which are averaged over the micro-batches. */
  scales: Readonly<{ ofLosses: Named<number>; ofTerms: number }>;
  step: number;
  /** The number of sequences in the step before this micro-batch. */
  sequence: number;
  lossScale: StepAt["lossScale"];
}>;

/** Computes the losses and gradients of a micro-batch, and adds the gradients to those of the step. */
async function runMicroBatch(trainer: Trainer, micro: MicroBatch, names: Set<string>): Promise<Results> {
  const { options: { host }, random, buffers, state, trained } = trainer;
  const { number, batch, step, sequence } = micro;
  const { program, session, run } = trainer.compiled[number] as CompiledProgram;
  const gradients: Record<string, OrtTensor> = {};
  const added: string[] = [];
  for (const { parameter, dense } of program.gradients) {
    const again = names.has(parameter);
    const buffer = (again ? buffers.further : buffers.first).get(parameter);
    if (dense === undefined || !buffer) continue;
    gradients[dense] = buffer;
    if (again) added.push(parameter);
    names.add(parameter);
  }
  // The native runtime writes results into given buffers; the WebAssembly build does not.
  const inPlace = host.provider === "cpu";
  const fetches: Record<string, OrtTensor | null> = inPlace ? { ...gradients } : {};
  for (const name of session.outputs) fetches[name] ??= null;
  const results = await run(batch, {
    inputs: trainer.inputs[number] ?? {},
    factorOf: factorsOf(trainer, micro),
    lossScale: micro.lossScale?.scale ?? 1,
    moment: { random, step, sequence },
    fetches,
  });
  if (!inPlace) {
    for (const [name, tensor] of Object.entries(gradients)) {
      (tensor.data as Float32Array).set(results[name]?.data as Float32Array);
    }
  }
  for (const name of added) {
    const t = trained.get(name);
    if (t) state.memory.kernels.axpy(t.span.gradient, 1, state.accumulator(name));
  }
  addRowGradients(trainer, micro, results);
  if (inPlace) releaseGradients(program, results, state);
  return results;
}

/** Frees the runtime's own copies of gradients before the next step; for a whole model, they are as large as it. */
function releaseGradients({ gradients }: Program, results: Results, { memory }: State): void {
  for (const { dense, sparse } of gradients) {
    for (const name of [dense, ...sparse.map(({ rows }) => rows)]) {
      const data = name === undefined ? undefined : results[name]?.data as Float32Array | undefined;
      if (data && data.buffer !== memory.buffer) releaseBuffer(data);
    }
  }
}

/** Returns the factor of a loss, or of a term besides the losses. */
function factorsOf({ programs }: Trainer, { number, scales }: MicroBatch): (loss: string) => number {
  const { task } = programs[number] as TaskProgram;
  const losses = new Set(task.losses.map(({ name }) => name));
  return (name) => (losses.has(name) ? scales.ofLosses[name] ?? 0 : scales.ofTerms);
}

/** Adds gradients that come as rows to those of their tables. */
function addRowGradients(trainer: Trainer, { number, batch }: MicroBatch, results: Results): void {
  const { trained, renumber, parameters } = trainer;
  for (const { parameter, sparse } of (trainer.programs[number] as TaskProgram).program.gradients) {
    const t = trained.get(parameter);
    if (!t) continue;
    for (const { ids, rows } of sparse) {
      const indices = batch.inputs[ids]?.data as Int32Array;
      const values = results[rows]?.data as Float32Array;
      const width = t.shape[1] ?? 1;
      addTableRows(t.span.gradient, indices, renumber.get(ids), values, width, parameters.get(t.name)?.paddingIdx);
    }
  }
}

function addLosses({ task, program }: TaskProgram, results: Results, losses: Record<string, number>): void {
  for (const term of program.losses) {
    const loss = task.losses.find(({ name }) => name === term);
    const name = loss ? lossName(task, loss) : term;
    losses[name] = (losses[name] ?? 0) + lossIn(results, term);
  }
}

/** Clips gradients, updates the parameters that the step's tasks reach, and calls the adapters' step hooks. */
function applyUpdate(
  { options, state, hooks }: Trainer,
  { step, totalSteps = step, learningRate, factor, maxGradNorm }: StepAt,
  gradNorm: number,
  active: ReadonlySet<number>,
): void {
  const scheduled = factor ?? (options.learningRate === 0 ? 1 : learningRate / options.learningRate);
  const gradientScale = maxGradNorm > 0 ? Math.min(1, maxGradNorm / (gradNorm + 1e-6)) : 1;
  state.update({ step, learningRate, factor: scheduled, gradientScale }, active);
  hooks.onStep({ step, totalSteps, gradientScale }, active);
}

function lossName({ name }: EngineTask, loss: TaskLoss): string {
  return name === "" ? loss.name : `${name}.${loss.name}`;
}
