/** Options of an engine. */
import type {
  Accelerator,
  AttachedAdapter,
  Batch,
  Checkpoint,
  Dataset,
  Head,
  Host,
  InspectedBackbone,
  Optimizer,
  Regularizer,
} from "../types.ts";
import type { Program, TaskLoss } from "./program.ts";
import type { ActivationBudget, Recomputer } from "./recompute.ts";

/** A task of an engine. */
export type EngineTask = Readonly<{
  /** Its name; "" for a single task. */
  name: string;
  heads: readonly Head[];
  losses: readonly TaskLoss[];
  /** The weight of its losses relative to those of other tasks. */
  weight: number;
  attached: readonly AttachedAdapter[];
  /** An example batch, for the ranks and dtypes of targets. */
  example: Batch;
  /** The batch that needs the most memory. */
  largest: Batch;
  /** The outputs that evaluation reads if rows have labels; absent: all. */
  reads?: readonly string[] | undefined;
  /** Yields the rows of a data set as batches of one row, for the gradients that regularizers ask for. */
  rowsOf?: (data: Dataset) => AsyncIterable<Batch>;
  /** Its training program, if a plan has built it before. */
  built?: BuiltProgram | undefined;
}>;

/** A task's training program, and its choice of recomputation for the largest batch. */
export type BuiltProgram = Readonly<{ program: Program; recomputer: Recomputer }>;

/**
 * Options of an engine. `activeRows` finds the ids that training or evaluation data can contain, by graph input; it is
 * called only if an embedding table trains.
 */
export type EngineOptions = Readonly<{
  host: Host;
  checkpoint: Checkpoint;
  backbone: InspectedBackbone;
  tasks: readonly EngineTask[];
  regularizers?: readonly Regularizer[];
  /** The accelerators that rewrite the graphs, in order. */
  accelerators?: readonly Accelerator[] | undefined;
  optimizer: Optimizer;
  /** The run's learning rate before the schedule. */
  learningRate: number;
  labelSmoothing: number;
  checkpointing: boolean;
  accumulates: boolean;
  seed: number;
  activeRows: () => Promise<ReadonlyMap<string, Int32Array>>;
  /** The most bytes of frozen weights that are packed for speed. */
  prepackLimit: number;
  /**
   * Returns the memory that a step's values may take next to `otherBytes` of weights and state; beyond it, values are
   * recomputed rather than kept.
   */
  activationBudget: (otherBytes: number, savesTime: boolean) => ActivationBudget;
}>;
