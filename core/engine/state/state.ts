/**
 * The training state of a run: trained parameters, their gradients and the optimizer's state.
 *
 * Embedding tables are reduced to the rows that the data can name ("active" rows), renumbered: gradients, optimizer
 * state and updates cover only these; the other rows decay in closed form when a table is read.
 */
import type { KernelMemory } from "../../kernels/kernels.ts";
import type { Tensor } from "../../base/tensor.ts";
import { createWeightSwap } from "./evaluation_weights.ts";
import { allocate, flatten, type TrainableParameter } from "./memory.ts";
import { isReached, type PlanOptions, planParameters, reachKey } from "./plan.ts";
import {
  copyTensors,
  loadState,
  loadWeights,
  type Progress,
  type SavedTensors,
  saveState,
  saveWeights,
} from "./saved.ts";
import { type FirstValues, readFirstValues, readWhole } from "./tables.ts";
import { applyUpdate, type StepUpdate } from "./update.ts";

/** The training state of a run. Between steps, either the training or the evaluation weights are in place. */
export interface State {
  readonly memory: KernelMemory;
  readonly trained: readonly TrainableParameter[];
  readonly bytes: Readonly<{ parameters: number; gradients: number; optimizer: number }>;
  /** Returns a parameter's second gradient buffer, for gradient accumulation over micro-batches. */
  accumulator(name: string): Float32Array;
  /**
   * Returns √Σ g² over the gradients of some programs. A factor multiplies them in the same pass; the norm is then NaN
   * if some gradient was not finite before.
   */
  gradNorm(programs: ReadonlySet<number>, factor?: number): number;
  /** Takes one optimizer step over the parameters that some programs reach. */
  update(update: StepUpdate, programs: ReadonlySet<number>): void;
  /** Puts the training or the evaluation weights in place, if the optimizer distinguishes them. */
  present(weights: "trained" | "evaluated"): void;
  /** Reads a parameter with all its rows. */
  read(name: string): Promise<Tensor<Float32Array>>;
  /** Returns copies of the evaluation weights by name, and the factors of rows that no data names. */
  weights(): SavedTensors;
  setWeights(weights: SavedTensors): void;
  /** Returns everything that a checkpoint needs: views of weights and optimizer state, by name. */
  tensors(): SavedTensors;
  restore(tensors: SavedTensors): void;
  /** Whether every trained weight is a finite number. */
  isFinite(): boolean;
}

/** Options of a state. */
export type StateOptions =
  & PlanOptions
  & Readonly<{ initial: FirstValues; accumulates: boolean; wasm?: WebAssembly.Module }>;

/** Allocates and fills the state. Throws AttuneError (refused) above the memory's limit. */
export async function createState(options: StateOptions): Promise<State> {
  const { parameters, gradients, initial, optimizer } = options;
  const { memory, trained, accumulators, bytes } = await allocate(planParameters(options), options);
  for (const t of trained) {
    const p = parameters.get(t.name);
    if (p) await readFirstValues(t, p, initial);
  }
  const groups = optimizer.elementwise ? flatten(trained, memory.buffer) : trained;
  const progress: Progress = {
    trained,
    idle: new Map(trained.filter((t) => t.rows).map((t) => [t.name, 1])),
    updates: 0,
    updatesByReach: new Map(
      trained.filter((t) => t.settings.reached.length < gradients.length).map((t) => [reachKey(t.settings), 0]),
    ),
  };
  const { kernels } = memory;
  const byName = new Map(trained.map((t) => [t.name, t]));
  const present = createWeightSwap(progress, groups, optimizer);
  return {
    memory,
    trained,
    bytes,
    accumulator: (name) => accumulators.get(name) ?? new Float32Array(0),
    gradNorm: (programs, factor) => {
      const squares = ({ span: { gradient } }: (typeof groups)[number]): number =>
        factor === undefined ? kernels.sumOfSquares(gradient) : kernels.unscale(gradient, factor);
      return Math.sqrt(groups.filter((g) => isReached(g.settings, programs)).reduce((sum, g) => sum + squares(g), 0));
    },
    update: (update, programs) => {
      present("trained");
      applyUpdate({ progress, groups, optimizer, kernels }, update, programs);
    },
    present,
    read: async (name) => {
      const [t, p] = [byName.get(name), parameters.get(name)];
      if (!t || !p) throw new RangeError(`No trained parameter "${name}"`);
      return await readWhole(t, p, initial, progress.idle.get(name) ?? 1);
    },
    weights: () => {
      present("evaluated");
      return copyTensors(saveWeights(progress));
    },
    setWeights: (tensors) => {
      present("evaluated");
      loadWeights(progress, tensors);
    },
    tensors: () => {
      present("trained");
      return saveState(progress);
    },
    restore: (tensors) => {
      present("trained");
      loadState(progress, tensors);
    },
    isFinite: () => trained.every((t) => Number.isFinite(kernels.sumOfSquares(t.span.parameter))),
  };
}
