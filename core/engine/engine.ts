/**
 * The engine of one task: sessions over the same mapped weights, one state, and the two things a loop asks for:
 * a training step, and the outputs of a batch.
 * @module
 */
import { createRandom } from "../random.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import type {
  Attached,
  Batch,
  Checkpoint,
  Head,
  Host,
  Named,
  Optimizer,
  Ort,
  OrtTensor,
  Regularizer,
  Trunk,
} from "../types.ts";
import { ownName } from "./build.ts";
import type { Generator } from "./generator.ts";
import { createFeeder } from "./feeds.ts";
import { buildProgram, factorName, type Program, type TaskLoss, trainsRule } from "./program.ts";
import { type BatchResult, createEvaluator, frozenBytes, scalarOf } from "./evaluator.ts";
import { openSession } from "./sessions.ts";
import { createState, type SavedTensors, type State } from "./state.ts";
import { type InitialWeights, initialWeights } from "./weights.ts";

/** What a step did. `losses`: by name, averaged over the step. */
export type StepResult = Readonly<{
  loss: number;
  losses: Named<number>;
  gradNorm: number;
  skipped: boolean;
}>;

/** A run's engine. */
export interface Engine {
  readonly state: State;
  readonly program: Program;
  readonly initial: InitialWeights;
  readonly trainableParameters: number;
  readonly totalParameters: number;
  /** Parameters that had no saved value. */
  readonly fresh: readonly string[];
  /** One optimizer step over micro-batches; a gradient that is not finite skips the update. */
  step(
    batches: readonly Batch[],
    at: Readonly<{ step: number; totalSteps?: number; learningRate: number; maxGradNorm: number }>,
  ): Promise<StepResult>;
  /** What a checkpoint needs of the state and of what adapters do between steps. */
  tensors(): SavedTensors;
  restore(tensors: SavedTensors): void;
  /** Outputs and losses with the present weights. */
  run(batch: Batch, labelled: boolean): Promise<BatchResult>;
  /** What goes on with prompts, with the present weights. */
  generator(): Generator;
  /** A parameter as it stands now, whole. */
  read(name: string): Promise<Tensor<Float32Array>>;
  bytes(): Readonly<Record<string, number>>;
  /** Gives the sessions' memory back: evaluation opens its own again, steps are over. */
  endTraining(): Promise<void>;
  close(): Promise<void>;
}

/** What an engine is made from. `activeRows`: ids that train or evaluation data can name, by graph input. */
export type EngineOptions = Readonly<{
  host: Host;
  checkpoint: Checkpoint;
  trunk: Trunk;
  heads: readonly Head[];
  losses: readonly TaskLoss[];
  attached: readonly Attached[];
  regularizers?: readonly Regularizer[];
  optimizer: Optimizer;
  /** The run's, before the schedule. */
  learningRate: number;
  labelSmoothing: number;
  checkpointing: boolean;
  accumulates: boolean;
  seed: number;
  activeRows: ReadonlyMap<string, Int32Array>;
  /** One batch's inputs, for the ranks and dtypes of targets. */
  example: Batch;
  /** Outputs that evaluation reads where rows have labels; absent: all. */
  reads?: readonly string[] | undefined;
  /** Frozen weights up to this many bytes are packed for speed. */
  prepackLimit: number;
}>;

/** Builds the training program and its state, and opens the training session; the evaluation session is opened when asked for. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { host, checkpoint, trunk, attached, example } = options;
  const random = createRandom(options.seed);
  const initial = initialWeights(checkpoint, attached, trunk.baseModelPrefix, random);
  const program = buildProgram({ ...options, mode: "train", trains: trainsRule(attached), targets: example.inputs });
  const { parameters } = program.recorded;
  const state = await createState({
    parameters,
    gradients: program.gradients,
    initial,
    optimizer: options.optimizer,
    trunk,
    learningRate: options.learningRate,
    activeRows: options.activeRows,
    accumulates: options.accumulates,
    wasm: host.kernels,
  });
  const steppers = attached.flatMap((a) => (a.stepper ? [{ attached: a, stepper: a.stepper() }] : []));
  const lib = host.lib as Ort;
  const fed = new Map(state.trained.map((t) => [t.name, t.rows ? { rows: t.rows.length } : {}]));
  const renumber = renumbering(state, parameters);
  const feeder = createFeeder(lib, renumber, host.kernels);
  const training = await openSession({
    host,
    graph: program.graph,
    parameters,
    checkpoint,
    initial,
    fed,
    prepack: frozenBytes(program, fed) <= options.prepackLimit,
    arena: true,
  });
  const weights: Record<string, OrtTensor> = {};
  for (const t of state.trained) weights[t.name] = new lib.Tensor("float32", t.span.parameter, t.shape);
  const buffers = (second: boolean): Record<string, OrtTensor> =>
    Object.fromEntries(
      state.trained.flatMap((t) =>
        t.gradient.dense === undefined ? [] : [[
          t.gradient.dense,
          new lib.Tensor("float32", second ? state.accumulator(t.name) : t.span.gradient, t.shape),
        ]]
      ),
    );
  // The native runtime writes results into the buffers it is given; the WebAssembly build does not.
  const inPlace = host.provider === "cpu";
  const first = buffers(false);
  const further = options.accumulates ? buffers(true) : {};
  const evaluator = createEvaluator({ ...options, initial, fed, weights, feeder });

  const addRows = (batch: Batch, results: Readonly<Record<string, OrtTensor>>): void => {
    for (const t of state.trained) {
      for (const { ids, rows } of t.gradient.sparse) {
        const indices = batch.inputs[ids]?.data as Int32Array;
        const values = results[rows]?.data as Float32Array;
        const width = t.shape[1] ?? 1;
        addTableRows(t.span.gradient, indices, renumber.get(ids), values, width, parameters.get(t.name)?.paddingIdx);
      }
    }
  };

  let ended = false;
  const endTraining = async (): Promise<void> => {
    await evaluator.close();
    if (!ended) await training.close();
    ended = true;
  };

  return {
    state,
    program,
    initial,
    trainableParameters: state.trained.reduce((n, t) => n + sizeOf(t.fullShape), 0),
    totalParameters: [...parameters.values()].reduce((n, p) => n + sizeOf(p.shape), 0),
    fresh: [...parameters.values()].filter((p) => !p.adapter && initial.isNew(p)).map((p) => p.name),
    step: async (batches, { step, totalSteps = step, learningRate, maxGradNorm }) => {
      state.present("trained");
      for (const t of state.trained) {
        if (t.gradient.sparse.length > 0 && t.gradient.dense === undefined) t.span.gradient.fill(0);
      }
      const factors = stepFactors(options.losses, batches);
      const losses: Record<string, number> = Object.fromEntries(options.losses.map((l) => [l.name, 0]));
      let sequence = 0;
      for (const [i, batch] of batches.entries()) {
        const extra: Record<string, OrtTensor> = { ...weights };
        for (const l of options.losses) {
          extra[factorName(l.name)] = new lib.Tensor("float32", Float32Array.of(factors[i]?.[l.name] ?? 0), []);
        }
        // Terms of parameters alone are the same in every micro-batch.
        for (const name of program.losses) {
          extra[factorName(name)] ??= new lib.Tensor("float32", Float32Array.of(1 / batches.length), []);
        }
        const feeds = await feeder.feeds(training, program.recorded, batch, extra, { random, step, sequence });
        const own = i === 0 ? first : further;
        const fetches: Record<string, OrtTensor | null> = inPlace ? { ...own } : {};
        for (const name of training.outputs) fetches[name] ??= null;
        const results = await training.run(feeds, fetches);
        if (!inPlace) {
          for (const [name, tensor] of Object.entries(own)) {
            (tensor.data as Float32Array).set(results[name]?.data as Float32Array);
          }
        }
        for (const name of program.losses) losses[name] = (losses[name] ?? 0) + scalarOf(results[`loss.${name}`]);
        if (i > 0) {
          for (const t of state.trained) {
            if (t.gradient.dense !== undefined) {
              state.memory.kernels.axpy(t.span.gradient, 1, state.accumulator(t.name));
            }
          }
        }
        addRows(batch, results);
        sequence += batch.sequences;
      }
      const gradNorm = state.gradNorm();
      const loss = Object.values(losses).reduce((a, b) => a + b, 0);
      const skipped = !Number.isFinite(gradNorm);
      if (!skipped) {
        const gradientScale = maxGradNorm > 0 ? Math.min(1, maxGradNorm / (gradNorm + 1e-6)) : 1;
        state.update({ step, learningRate, gradientScale });
        for (const { attached, stepper } of steppers) {
          const parameter = (name: string): { value: Float32Array; gradient: Float32Array } | undefined => {
            const span = state.trained.find((t) => t.name === ownName(attached, name))?.span;
            return span && { value: span.parameter, gradient: span.gradient };
          };
          stepper.after({ step, totalSteps, gradientScale, parameter });
        }
      }
      return { loss, losses, gradNorm, skipped };
    },
    tensors: () => ({
      ...state.tensors(),
      ...Object.fromEntries(
        steppers.flatMap(({ stepper }, i) =>
          Object.entries(stepper.tensors()).map(([name, tensor]) => [`stepper/${i}/${name}`, tensor])
        ),
      ),
    }),
    restore: (tensors) => {
      state.restore(tensors);
      steppers.forEach(({ stepper }, i) => {
        const own = Object.entries(tensors).filter(([name]) => name.startsWith(`stepper/${i}/`));
        stepper.restore(Object.fromEntries(own.map(([name, t]) => [name.slice(`stepper/${i}/`.length), t])));
      });
    },
    run: async (batch, labelled) => {
      state.present("evaluated");
      return await evaluator.run(batch, labelled);
    },
    generator: () => {
      state.present("evaluated");
      return evaluator.generator();
    },
    read: async (name) => {
      state.present("evaluated");
      const p = parameters.get(name);
      if (!p) throw new RangeError(`No parameter "${name}"`);
      return state.trained.some((t) => t.name === name) ? await state.read(name) : await initial.read(p);
    },
    bytes: () => ({
      parameters: state.bytes.parameters,
      gradients: state.bytes.gradients,
      optimizer: state.bytes.optimizer,
      mapped: training.mappedBytes,
      inline: training.inlineBytes,
    }),
    endTraining,
    close: endTraining,
  };
}

/** Each micro-batch's factor of each loss: weight over the step's count, or over its own count and the number of micro-batches. */
export function stepFactors(losses: readonly TaskLoss[], batches: readonly Batch[]): Record<string, number>[] {
  const counts = batches.map((batch) =>
    Object.fromEntries(losses.map((l) => [l.name, l.loss.count(batch.inputs[l.target] as Tensor)]))
  );
  return counts.map((own) =>
    Object.fromEntries(losses.map((l) => {
      const count = l.loss.over === "step"
        ? counts.reduce((sum, c) => sum + (c[l.name] ?? 0), 0)
        : (own[l.name] ?? 0) * batches.length;
      return [l.name, count === 0 ? 0 : l.weight / count];
    }))
  );
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

function addTableRows(
  table: Float32Array,
  ids: Int32Array,
  numbers: Int32Array | undefined,
  values: Float32Array,
  width: number,
  paddingIdx: number | undefined,
): void {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] ?? 0;
    if (id === paddingIdx) continue;
    const to = (numbers ? numbers[id] ?? 0 : id) * width;
    const from = i * width;
    for (let j = 0; j < width; j++) table[to + j] = (table[to + j] ?? 0) + (values[from + j] ?? 0);
  }
}
