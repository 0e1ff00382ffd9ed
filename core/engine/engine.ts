/**
 * The engine of a run: a program for each task, sessions over the same mapped weights, one state, and the two things a
 * loop asks for: a training step, and the outputs of a batch.
 * @module
 */
import { missing } from "../errors.ts";
import { createRandom } from "../random.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import type {
  AttachedAdapter,
  Batch,
  Checkpoint,
  Dataset,
  Head,
  Host,
  InspectedBackbone,
  Named,
  Optimizer,
  Ort,
  OrtTensor,
  Regularizer,
  StepHook,
} from "../types.ts";
import { queryBlocksFor } from "./builder/attention.ts";
import { type Parameter, qualifyName } from "./builder/parameters.ts";
import type { Generator } from "./generator.ts";
import { createFeeder, dimsWith } from "./feeds.ts";
import { lossScales } from "./factors.ts";
import { addTableRows, prepareRegularizers } from "./prepare.ts";
import { placeWeights } from "./placement.ts";
import { createRecomputer, type Recomputer } from "./recompute.ts";
import {
  buildProgram,
  frozenName,
  lossScaleInput,
  type PreparedRegularizer,
  type Program,
  type TaskLoss,
  trainsRule,
} from "./program.ts";
import { type BatchResult, createEvaluator, type Evaluator, frozenBytes, scalarOf } from "./evaluator.ts";
import { openSession, type Session } from "./sessions.ts";
import type { TrainableParameter } from "./state/memory.ts";
import type { SavedTensors } from "./state/saved.ts";
import { createState, type State } from "./state/state.ts";
import { type InitialWeights, initialWeights, storedBytes } from "./weights.ts";
import { usefulWork } from "./work.ts";

/** What a step did. `losses`: by name, averaged over the step; `multiplyAdds`: those that are useful (`work.ts`). */
export type StepResult = Readonly<{
  loss: number;
  losses: Named<number>;
  gradNorm: number;
  skipped: boolean;
  multiplyAdds: number;
}>;

/** A run's engine. */
export interface Engine {
  readonly state: State;
  /** The training program of a task; that of the first where no name is given. */
  program(task?: string): Program;
  readonly initial: InitialWeights;
  readonly trainableParameters: number;
  readonly totalParameters: number;
  /** Useful multiply-adds of the largest micro-batch. */
  readonly multiplyAdds: number;
  /** Parameters that had no saved value. */
  readonly fresh: readonly string[];
  /**
   * One optimizer step over micro-batches, each of its own task; what none of them reaches stays as it is. A gradient
   * that is not finite skips the update. `factor`: what the schedule makes of the rates of groups that have their own;
   * absent: what it has made of the run's.
   */
  step(
    batches: readonly Batch[],
    at: Readonly<{ step: number; totalSteps?: number; learningRate: number; factor?: number; maxGradNorm: number }>,
  ): Promise<StepResult>;
  /** What a checkpoint needs of the state and of what adapters do between steps. */
  tensors(): SavedTensors;
  restore(tensors: SavedTensors): void;
  /** Outputs and losses with the present weights. */
  run(batch: Batch, labelled: boolean): Promise<BatchResult>;
  /** What goes on with prompts, with the present weights. */
  generator(): Promise<Generator>;
  /** The same of one of several tasks. */
  of(task: string): Pick<Evaluator, "run" | "generator">;
  /** A parameter as it stands now, whole. */
  read(name: string): Promise<Tensor<Float32Array>>;
  bytes(): Readonly<Record<string, number>>;
  /** Gives the sessions' memory back: evaluation opens its own again, steps are over. */
  endTraining(): Promise<void>;
  close(): Promise<void>;
}

/** What a task brings to an engine. */
export type EngineTask = Readonly<{
  /** "" where it is alone. */
  name: string;
  heads: readonly Head[];
  losses: readonly TaskLoss[];
  /** How much its losses count beside other tasks'. */
  weight: number;
  attached: readonly AttachedAdapter[];
  /** One batch's inputs, for the ranks and dtypes of targets. */
  example: Batch;
  /** The batch that takes the most memory. */
  largest: Batch;
  /** Outputs that evaluation reads where rows have labels; absent: all. */
  reads?: readonly string[] | undefined;
  /** Rows of a data set, each a batch of its own: what regularizers may take gradients of. */
  rowsOf?: (data: Dataset) => AsyncIterable<Batch>;
  /** Its training program, where it was built before: a plan's. */
  built?: BuiltProgram | undefined;
}>;

/** A task's training program, and what a step of it on the largest batch computes again. */
export type BuiltProgram = Readonly<{ program: Program; recomputer: Recomputer }>;

/** What an engine is made from. `activeRows`: ids that train or evaluation data can name, by graph input. */
export type EngineOptions = Readonly<{
  host: Host;
  checkpoint: Checkpoint;
  backbone: InspectedBackbone;
  tasks: readonly EngineTask[];
  regularizers?: readonly Regularizer[];
  optimizer: Optimizer;
  /** The run's, before the schedule. */
  learningRate: number;
  labelSmoothing: number;
  checkpointing: boolean;
  accumulates: boolean;
  seed: number;
  activeRows: ReadonlyMap<string, Int32Array>;
  /** Frozen weights up to this many bytes are packed for speed. */
  prepackLimit: number;
  /**
   * What a step's values may take beside so many bytes of weights and state: beyond it cheap ones are computed again
   * rather than kept.
   */
  activationBudget: (elseBytes: number) => number;
}>;

function recomputerOf({ graph }: Program, { largest, built }: EngineTask): Recomputer {
  return built?.recomputer ?? createRecomputer(graph, dimsWith(graph.inputs.keys(), largest));
}

/** Builds the training programs and their state, and opens their sessions; those of evaluation are opened when asked for. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { host, checkpoint, backbone } = options;
  const random = createRandom(options.seed);
  const programs: Readonly<{
    task: EngineTask;
    program: Program;
    initial: InitialWeights;
    regularizers: readonly PreparedRegularizer[];
  }>[] = [];
  for (const task of options.tasks) {
    const initial = initialWeights(checkpoint, task.attached, backbone, random);
    const regularizers = await prepareRegularizers(options, task, initial);
    const program = task.built?.program ?? buildProgram({
      ...options,
      ...task,
      regularizers,
      taskName: task.name,
      mode: "train",
      queryBlocks: queryBlocksFor(task.largest),
      isTrainable: trainsRule(task.attached),
      targets: task.example.inputs,
      given: Object.keys(task.example.inputs),
    });
    programs.push({ task, program, initial, regularizers });
  }
  const first = programs[0];
  if (!first) throw missing("engine", "a task", "the run");
  const parameters = new Map<string, Parameter>();
  const owners = new Map<string, InitialWeights>();
  for (const { program, initial } of programs) {
    for (const p of program.recorded.parameters.values()) {
      const known = parameters.get(p.name);
      parameters.set(p.name, { ...p, ids: [...new Set([...known?.ids ?? [], ...p.ids])] });
      if (!known) owners.set(p.name, initial);
    }
  }
  // A value that several tasks share is what the first one says.
  const of = (p: Parameter): InitialWeights => owners.get(p.name) ?? first.initial;
  const initial: InitialWeights = {
    nameInCheckpoint: (p) => of(p).nameInCheckpoint(p),
    isNew: (p) => of(p).isNew(p),
    read: (p) => of(p).read(p),
  };
  const state = await createState({
    parameters,
    gradients: programs.map(({ program }) => program.gradients),
    initial,
    optimizer: options.optimizer,
    backbone,
    activeRows: options.activeRows,
    accumulates: options.accumulates,
    wasm: host.kernels,
  });
  const stepHooks: { attached: AttachedAdapter; stepHook: StepHook; reached: number[] }[] = [];
  for (const [i, { task }] of programs.entries()) {
    for (const a of task.attached) {
      if (!a.stepHook) continue;
      // One that several tasks share is one.
      const known = stepHooks.find(({ attached, reached }) => attached.name === a.name && !reached.includes(i));
      if (known) known.reached.push(i);
      else stepHooks.push({ attached: a, stepHook: a.stepHook(), reached: [i] });
    }
  }
  const work = programs.map(({ program }) => usefulWork(program.graph));
  const lib = host.lib as Ort;
  const fed = new Map(state.trained.map((t) => [t.name, t.rows ? { rows: t.rows.length } : {}]));
  const renumber = renumbering(state, parameters);
  const feeder = createFeeder(lib, renumber, host.kernels);
  const frozen = programs.reduce((bytes, { program }) => bytes + frozenBytes(program, fed), 0);
  const prepack = frozen <= options.prepackLimit;
  const stored = [...parameters.values()].filter((p) => !fed.has(p.name))
    .reduce((bytes, p) => bytes + storedBytes(p, initial, checkpoint), 0);
  const { parameters: trained, gradients, optimizer } = state.bytes;
  const copied = programs.reduce(
    (bytes, { program: { recorded: { parameters } } }) =>
      bytes + placeWeights({
        parameters: parameters.values(),
        isFed: (name) => fed.has(name),
        initial,
        checkpoint,
        provider: host.provider,
      }).copiedBytes,
    0,
  );
  const budget = options.activationBudget(trained + gradients + optimizer + (prepack ? 2 : 1) * stored + copied);
  const sessions: Session[] = [];
  for (const { program, task } of programs) {
    sessions.push(
      await openSession({
        host,
        graph: program.graph,
        parameters: program.recorded.parameters,
        checkpoint,
        initial,
        fed,
        prepack,
        recomputed: recomputerOf(program, task)(budget).values,
        arena: true,
      }),
    );
  }
  const constants = programs.map(({ regularizers }) =>
    new Map(
      regularizers.flatMap(({ name, frozen }) =>
        Object.entries(frozen).map(([key, t]) =>
          [frozenName(name, key), new lib.Tensor("float32", t.data, t.dims)] as const
        )
      ),
    )
  );
  const weights: Record<string, OrtTensor> = {};
  for (const t of state.trained) weights[t.name] = new lib.Tensor("float32", t.span.parameter, t.shape);
  const buffers = (of: (t: TrainableParameter) => Float32Array): ReadonlyMap<string, OrtTensor> =>
    new Map(state.trained.map((t) => [t.name, new lib.Tensor("float32", of(t), t.shape)]));
  // The native runtime writes results into the buffers it is given; the WebAssembly build does not.
  const inPlace = host.provider === "cpu";
  const firsts = buffers((t) => t.span.gradient);
  const further = options.accumulates ? buffers((t) => state.accumulator(t.name)) : firsts;
  const byName = new Map(state.trained.map((t) => [t.name, t]));
  const evaluators = options.tasks.map((task) =>
    createEvaluator({ ...options, ...task, taskName: task.name, initial, fed, weights, feeder })
  );
  const numberOf = (batch: Batch): number => {
    const found = batch.task === undefined ? 0 : options.tasks.findIndex((task) => task.name === batch.task);
    if (found < 0) throw missing("engine", `a task "${batch.task}"`, "the run");
    return found;
  };

  const addRows = (batch: Batch, { gradients }: Program, results: Readonly<Record<string, OrtTensor>>): void => {
    for (const { parameter, sparse } of gradients) {
      const t = byName.get(parameter);
      if (!t) continue;
      for (const { ids, rows } of sparse) {
        const indices = batch.inputs[ids]?.data as Int32Array;
        const values = results[rows]?.data as Float32Array;
        const width = t.shape[1] ?? 1;
        addTableRows(t.span.gradient, indices, renumber.get(ids), values, width, parameters.get(t.name)?.paddingIdx);
      }
    }
  };

  let ended = false;
  const endTraining = async (): Promise<void> => {
    for (const evaluator of evaluators) await evaluator.close();
    if (!ended) { for (const session of sessions) await session.close(); }
    ended = true;
  };

  return {
    state,
    program: (task) => (programs.find((own) => own.task.name === task) ?? first).program,
    initial,
    trainableParameters: state.trained.reduce((n, t) => n + sizeOf(t.fullShape), 0),
    totalParameters: [...parameters.values()].reduce((n, p) => n + sizeOf(p.shape), 0),
    multiplyAdds: Math.max(...programs.map(({ task }, i) => work[i]?.(task.largest) ?? 0)),
    fresh: [...parameters.values()].filter((p) => !p.adapter && !p.regularizer && !p.frozen && initial.isNew(p))
      .map((p) => p.name),
    step: async (batches, at) => {
      const { step, totalSteps = step, learningRate, maxGradNorm } = at;
      const factor = at.factor ?? (options.learningRate === 0 ? 1 : learningRate / options.learningRate);
      state.present("trained");
      const numbers = batches.map(numberOf);
      const active = new Set(numbers);
      // Gradients that have something of this step. Those that come as rows alone are added up from zero.
      const written = new Set<string>();
      for (const i of active) {
        for (const { parameter, dense } of programs[i]?.program.gradients ?? []) {
          if (dense !== undefined || written.has(parameter)) continue;
          byName.get(parameter)?.span.gradient.fill(0);
          written.add(parameter);
        }
      }
      const factors = lossScales(numbers.map((i) => options.tasks[i] as EngineTask), batches);
      const losses: Record<string, number> = {};
      for (const task of options.tasks) for (const l of task.losses) losses[lossName(task, l)] = 0;
      let [sequence, multiplyAdds] = [0, 0];
      for (const [i, batch] of batches.entries()) {
        const number = numbers[i] ?? 0;
        const { task, program } = programs[number] ?? first;
        const training = sessions[number] as Session;
        const extra: Record<string, OrtTensor> = {};
        for (const [name, tensor] of Object.entries(weights)) if (training.feeds.has(name)) extra[name] = tensor;
        for (const [name, tensor] of constants[number] ?? []) if (training.feeds.has(name)) extra[name] = tensor;
        for (const l of task.losses) {
          extra[lossScaleInput(l.name)] = new lib.Tensor("float32", Float32Array.of(factors[i]?.[l.name] ?? 0), []);
        }
        // Terms beside the losses are averaged over the micro-batches.
        for (const name of program.losses) {
          extra[lossScaleInput(name)] ??= new lib.Tensor("float32", Float32Array.of(1 / batches.length), []);
        }
        const feeds = await feeder.feeds(training, program.recorded, batch, extra, { random, step, sequence });
        const own: Record<string, OrtTensor> = {};
        const added: string[] = [];
        for (const { parameter, dense } of program.gradients) {
          const again = written.has(parameter);
          const buffer = (again ? further : firsts).get(parameter);
          if (dense === undefined || !buffer) continue;
          own[dense] = buffer;
          if (again) added.push(parameter);
          written.add(parameter);
        }
        const fetches: Record<string, OrtTensor | null> = inPlace ? { ...own } : {};
        for (const name of training.outputs) fetches[name] ??= null;
        const results = await training.run(feeds, fetches);
        if (!inPlace) {
          for (const [name, tensor] of Object.entries(own)) {
            (tensor.data as Float32Array).set(results[name]?.data as Float32Array);
          }
        }
        for (const own of program.losses) {
          const l = task.losses.find(({ name }) => name === own);
          const name = l ? lossName(task, l) : own;
          losses[name] = (losses[name] ?? 0) + scalarOf(results[`loss.${own}`]);
        }
        for (const name of added) {
          const t = byName.get(name);
          if (t) state.memory.kernels.axpy(t.span.gradient, 1, state.accumulator(name));
        }
        addRows(batch, program, results);
        sequence += batch.sequences;
        multiplyAdds += work[number]?.(batch) ?? 0;
      }
      const gradNorm = state.gradNorm(active);
      const loss = Object.values(losses).reduce((a, b) => a + b, 0);
      const skipped = !Number.isFinite(gradNorm);
      if (!skipped) {
        const gradientScale = maxGradNorm > 0 ? Math.min(1, maxGradNorm / (gradNorm + 1e-6)) : 1;
        state.update({ step, learningRate, factor, gradientScale }, active);
        for (const { attached, stepHook, reached } of stepHooks) {
          if (!reached.some((i) => active.has(i))) continue;
          const parameter = (name: string): { value: Float32Array; gradient: Float32Array } | undefined => {
            const span = byName.get(qualifyName(attached, name))?.span;
            return span && { value: span.parameter, gradient: span.gradient };
          };
          stepHook.onStep({ step, totalSteps, gradientScale, parameter });
        }
      }
      return { loss, losses, gradNorm, skipped, multiplyAdds };
    },
    tensors: () => ({
      ...state.tensors(),
      ...Object.fromEntries(
        stepHooks.flatMap(({ stepHook }, i) =>
          Object.entries(stepHook.tensors()).map(([name, tensor]) => [`stepHook/${i}/${name}`, tensor])
        ),
      ),
    }),
    restore: (tensors) => {
      state.restore(tensors);
      stepHooks.forEach(({ stepHook }, i) => {
        const own = Object.entries(tensors).filter(([name]) => name.startsWith(`stepHook/${i}/`));
        stepHook.restore(Object.fromEntries(own.map(([name, t]) => [name.slice(`stepHook/${i}/`.length), t])));
      });
    },
    run: async (batch, labelled) => {
      state.present("evaluated");
      return await (evaluators[numberOf(batch)] as Evaluator).run(batch, labelled);
    },
    generator: async () => {
      state.present("evaluated");
      return await (evaluators[0] as Evaluator).generator();
    },
    of: (task) => {
      const number = Math.max(0, options.tasks.findIndex(({ name }) => name === task));
      const own = evaluators[number] as Evaluator;
      return {
        run: async (batch, labelled) => {
          state.present("evaluated");
          return await own.run(batch, labelled);
        },
        generator: async () => {
          state.present("evaluated");
          return await own.generator();
        },
      };
    },
    read: async (name) => {
      state.present("evaluated");
      const p = parameters.get(name);
      if (!p) throw new RangeError(`No parameter "${name}"`);
      return byName.has(name) ? await state.read(name) : await initial.read(p);
    },
    bytes: () => ({
      parameters: state.bytes.parameters,
      gradients: state.bytes.gradients,
      optimizer: state.bytes.optimizer,
      mapped: Math.max(...sessions.map((session) => session.mappedBytes)),
      inline: sessions.reduce((bytes, session) => bytes + session.inlineBytes, 0),
    }),
    endTraining,
    close: endTraining,
  };
}

function lossName({ name }: EngineTask, loss: TaskLoss): string {
  return name === "" ? loss.name : `${name}.${loss.name}`;
}

function renumbering(state: State, parameters: Program["recorded"]["parameters"]): Map<string, Int32Array> {
  const renumber = new Map<string, Int32Array>();
  for (const t of state.trained) {
    if (!t.rows) continue;
    const numbers = new Int32Array(t.fullShape[0] ?? 0);
    t.rows.forEach((row, i) => (numbers[row] = i));
    for (const ids of parameters.get(t.name)?.ids ?? []) renumber.set(ids, numbers);
  }
  return renumber;
}
