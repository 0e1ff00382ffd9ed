/**
 * The engine of a run: a program for each task, sessions over the same mapped weights, one training state, and the two
 * operations of a training loop: a step, and the outputs of a batch.
 */
import { missing } from "../base/errors.ts";
import { createRandom } from "../math/random.ts";
import { sizeOf, type Tensor } from "../base/tensor.ts";
import type { Batch, Ort, OrtTensor } from "../types.ts";
import type { EngineOptions, EngineTask } from "./engine_options.ts";
import type { BatchResult, Evaluator } from "./evaluator.ts";
import type { EvaluatorOptions } from "./evaluator_options.ts";
import { createFeeder } from "./feeds.ts";
import type { Generator } from "./generator.ts";
import type { Program } from "./program.ts";
import type { SavedTensors } from "./state/saved.ts";
import { createState, type State } from "./state/state.ts";
import { bindConstants, bindGradientBuffers, type StepAt, type StepResult, type Trainer, trainStep } from "./step.ts";
import { createStepHooks } from "./step_hooks.ts";
import { buildTaskPrograms, mergeParameters, type TaskParameters, type TaskProgram } from "./task_programs.ts";
import { openTrainingSessions } from "./training_sessions.ts";
import type { InitialWeights } from "./weights.ts";
import { usefulWork } from "./work.ts";

/** A run's engine. */
export interface Engine {
  readonly state: State;
  /** Returns the training program of a task (default: the first). */
  program(task?: string): Program;
  readonly initial: InitialWeights;
  readonly trainableParameters: number;
  readonly totalParameters: number;
  /** The useful multiply-adds of the largest micro-batch. */
  readonly multiplyAdds: number;
  /** The names of parameters that had no saved value. */
  readonly fresh: readonly string[];
  /**
   * Takes one optimizer step over micro-batches, each of one task; parameters that no task in the step reaches are not
   * updated. If a gradient is not finite, the update is skipped. `factor`: the schedule's factor for groups with their
   * own learning rate; absent: the ratio that it applies to the run's rate.
   */
  step(batches: readonly Batch[], at: StepAt): Promise<StepResult>;
  /** Returns the tensors that a checkpoint needs, of the state and of adapters' step hooks. */
  tensors(): SavedTensors;
  restore(tensors: SavedTensors): void;
  /** Computes outputs and losses with the current weights. */
  run(batch: Batch, labelled: boolean): Promise<BatchResult>;
  /** Returns a text generator with the current weights. */
  generator(): Promise<Generator>;
  /** Returns `run` and `generator` for one of several tasks. */
  of(task: string): Pick<Evaluator, "run" | "generator">;
  /** Reads the current values of a whole parameter. */
  read(name: string): Promise<Tensor<Float32Array>>;
  bytes(): Readonly<Record<string, number>>;
  /** Frees the sessions after the last step; evaluation opens its own again. */
  endTraining(): Promise<void>;
  close(): Promise<void>;
}

/** Whether an embedding table trains. */
function trainsTable(programs: readonly TaskProgram[], { parameters }: TaskParameters): boolean {
  return programs.some(({ program }) =>
    program.gradients.some(({ parameter }) => (parameters.get(parameter)?.ids.length ?? 0) > 0)
  );
}

/** Builds the training programs and their state, and opens their sessions; evaluation's are opened on first use. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { host, backbone } = options;
  const lib = host.lib as Ort;
  const random = createRandom(options.seed);
  const programs = await buildTaskPrograms(options, random);
  const [first] = programs;
  if (!first) throw missing("engine", "a task", "the run");
  const known = mergeParameters(programs, first);
  const { parameters, initial } = known;
  const state = await createState({
    parameters,
    gradients: programs.map(({ program }) => program.gradients),
    initial,
    optimizer: options.optimizer,
    backbone,
    activeRows: trainsTable(programs, known) ? await options.activeRows() : new Map(),
    accumulates: options.accumulates,
    wasm: host.kernels,
  });
  const trained = new Map(state.trained.map((t) => [t.name, t]));
  const hooks = createStepHooks(programs, trained);
  const fed = new Map(state.trained.map((t) => [t.name, t.rows ? { rows: t.rows.length } : {}]));
  const renumber = renumbering(state, parameters);
  const feeder = createFeeder(lib, renumber, host.kernels);
  const compiled = await openTrainingSessions(options, programs, known, state, { fed, feeder });
  const weights: Record<string, OrtTensor> = {};
  for (const t of state.trained) weights[t.name] = new lib.Tensor("float32", t.span.parameter, t.shape);
  const evaluators = createEvaluators((number) => {
    const task = options.tasks[number] as EngineTask;
    return { ...options, ...task, taskName: task.name, initial, fed, weights, feeder };
  });
  const trainer: Trainer = {
    options,
    random,
    programs,
    compiled,
    work: programs.map(({ program }) => usefulWork(program.graph)),
    parameters,
    state,
    trained,
    inputs: programs.map((program) => ({ ...weights, ...bindConstants(program, lib) })),
    buffers: bindGradientBuffers(state, lib, options.accumulates),
    renumber,
    hooks,
  };
  return engineOver(trainer, initial, evaluators);
}

/** Assembles an engine from its parts. */
function engineOver(trainer: Trainer, initial: InitialWeights, evaluators: Evaluators): Engine {
  const { options: { tasks }, programs, parameters, state, trained, work, compiled, hooks } = trainer;
  const all = [...parameters.values()];
  /** Returns the evaluator of a task, with the evaluation weights in place. */
  const presented = async (number: number): Promise<Evaluator> => {
    const evaluator = await evaluators.of(number);
    state.present("evaluated");
    return evaluator;
  };
  const endTraining = endOf(trainer, evaluators);
  return {
    state,
    program: (name) => (programs.find(({ task }) => task.name === name) ?? programs[0])?.program as Program,
    initial,
    trainableParameters: state.trained.reduce((n, t) => n + sizeOf(t.fullShape), 0),
    totalParameters: all.reduce((n, p) => n + sizeOf(p.shape), 0),
    multiplyAdds: Math.max(...programs.map(({ task }, i) => work[i]?.(task.largest) ?? 0)),
    fresh: all.filter((p) => !p.adapter && !p.regularizer && !p.frozen && initial.isNew(p)).map((p) => p.name),
    step: async (batches, at) => await trainStep(trainer, batches, batches.map((batch) => numberOf(tasks, batch)), at),
    tensors: () => ({ ...state.tensors(), ...hooks.tensors() }),
    restore: (tensors) => {
      state.restore(tensors);
      hooks.restore(tensors);
    },
    run: async (batch, labelled) => await (await presented(numberOf(tasks, batch))).run(batch, labelled),
    generator: async () => await (await presented(0)).generator(),
    of: (task) => {
      const number = Math.max(0, tasks.findIndex(({ name }) => name === task));
      return {
        run: async (batch, labelled) => await (await presented(number)).run(batch, labelled),
        generator: async () => await (await presented(number)).generator(),
      };
    },
    read: async (name) => {
      state.present("evaluated");
      const p = parameters.get(name);
      if (!p) throw new RangeError(`No parameter "${name}"`);
      return trained.has(name) ? await state.read(name) : await initial.read(p);
    },
    bytes: () => ({
      parameters: state.bytes.parameters,
      gradients: state.bytes.gradients,
      optimizer: state.bytes.optimizer,
      mapped: Math.max(...compiled.map(({ session }) => session.mappedBytes)),
      inline: compiled.reduce((bytes, { session }) => bytes + session.inlineBytes, 0),
    }),
    endTraining,
    close: endTraining,
  };
}

/** The evaluators of a run's tasks, each created on first use. */
type Evaluators = Readonly<{ of(number: number): Promise<Evaluator>; close(): Promise<void> }>;

function createEvaluators(optionsOf: (number: number) => EvaluatorOptions): Evaluators {
  const evaluators = new Map<number, Evaluator>();
  return {
    of: async (number) => {
      const { createEvaluator } = await import("./evaluator.ts");
      const evaluator = evaluators.get(number) ?? createEvaluator(optionsOf(number));
      evaluators.set(number, evaluator);
      return evaluator;
    },
    close: async () => {
      for (const evaluator of evaluators.values()) await evaluator.close();
    },
  };
}

/** Returns a function that closes evaluators and, only once, programs. */
function endOf({ compiled }: Trainer, evaluators: Evaluators): () => Promise<void> {
  let ended = false;
  return async () => {
    await evaluators.close();
    if (!ended) { for (const program of compiled) await program.close(); }
    ended = true;
  };
}

/** Returns the index of a batch's task. */
function numberOf(tasks: EngineOptions["tasks"], batch: Batch): number {
  const number = batch.task === undefined ? 0 : tasks.findIndex((task) => task.name === batch.task);
  if (number < 0) throw missing("engine", `a task "${batch.task}"`, "the run");
  return number;
}

function renumbering(state: State, parameters: TaskParameters["parameters"]): Map<string, Int32Array> {
  const renumber = new Map<string, Int32Array>();
  for (const t of state.trained) {
    if (!t.rows) continue;
    const numbers = new Int32Array(t.fullShape[0] ?? 0);
    t.rows.forEach((row, i) => (numbers[row] = i));
    for (const ids of parameters.get(t.name)?.ids ?? []) renumber.set(ids, numbers);
  }
  return renumber;
}
