/** What an engine is made from. */
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

/**
 * What an engine is made from. `activeRows` finds the ids that train or evaluation data can name, by graph input; it is asked
 * where a table of them trains.
 */
export type EngineOptions = Readonly<{
  host: Host;
  checkpoint: Checkpoint;
  backbone: InspectedBackbone;
  tasks: readonly EngineTask[];
  regularizers?: readonly Regularizer[];
  /** What rewrites the graphs, in order. */
  accelerators?: readonly Accelerator[] | undefined;
  optimizer: Optimizer;
  /** The run's, before the schedule. */
  learningRate: number;
  labelSmoothing: number;
  checkpointing: boolean;
  accumulates: boolean;
  seed: number;
  activeRows: () => Promise<ReadonlyMap<string, Int32Array>>;
  /** Frozen weights up to this many bytes are packed for speed. */
  prepackLimit: number;
  /**
   * What a step's values may take beside so many bytes of weights and state: beyond it cheap ones are computed again
   * rather than kept.
   */
  activationBudget: (elseBytes: number, savesTime: boolean) => ActivationBudget;
}>;
