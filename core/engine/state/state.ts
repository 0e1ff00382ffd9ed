/**
 * The state of a run's training: what trains, its gradients and the optimizer's state.
 *
 * Embedding tables are kept to the rows that the data can name ("active"), renumbered: gradients, state and updates
 * cover only those, and the rest of the table decays in closed form when it is written out.
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

/** The state of a run's training. Between steps it has the weights that train in place, or those to evaluate. */
export interface State {
  readonly memory: KernelMemory;
  readonly trained: readonly TrainableParameter[];
  readonly bytes: Readonly<{ parameters: number; gradients: number; optimizer: number }>;
  /** Second gradient buffers, for adding up micro-batches. */
  accumulator(name: string): Float32Array;
  /**
   * √Σ g² over the gradients of some programs. With a factor they are multiplied by it in the same pass; the norm is then
   * NaN where some gradient was not finite before.
   */
  gradNorm(programs: ReadonlySet<number>, factor?: number): number;
  /** One optimizer step over what some programs reach. */
  update(update: StepUpdate, programs: ReadonlySet<number>): void;
  /** Puts the weights that train in place, or those to evaluate, where an optimizer tells them apart. */
  present(weights: "trained" | "evaluated"): void;
  /** A parameter with all its rows. */
  read(name: string): Promise<Tensor<Float32Array>>;
  /** Copies of the weights to evaluate by name, and what unnamed rows have shrunk by. */
  weights(): SavedTensors;
  setWeights(weights: SavedTensors): void;
  /** Everything that a checkpoint needs: views of weights and optimizer state, by name. */
  tensors(): SavedTensors;
  restore(tensors: SavedTensors): void;
  /** Whether every trained weight is a finite number. */
  isFinite(): boolean;
}

/** What a state is made from. */
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
