/**
 * What evaluators and generators are made from.
 * @module
 */
import type { Accelerator, AttachedAdapter, Checkpoint, Head, Host, InspectedBackbone, OrtTensor } from "../types.ts";
import type { Feeder } from "./feeds.ts";
import type { TaskLoss } from "./program.ts";
import type { InitialWeights } from "./weights.ts";

/** Options of an evaluator. `fed`, `weights`: the trained parameters, and their tensors. */
export type EvaluatorOptions = Readonly<{
  host: Host;
  checkpoint: Checkpoint;
  backbone: InspectedBackbone;
  heads: readonly Head[];
  losses: readonly TaskLoss[];
  attached: readonly AttachedAdapter[];
  initial: InitialWeights;
  fed: ReadonlyMap<string, Readonly<{ rows?: number }>>;
  weights: Readonly<Record<string, OrtTensor>>;
  feeder: Feeder;
  /** What rewrites the graphs, in order. */
  accelerators?: readonly Accelerator[] | undefined;
  labelSmoothing: number;
  reads?: readonly string[] | undefined;
  /** The task's name, where several share a model. */
  taskName?: string;
  outputHiddenStates?: boolean;
  outputAttentions?: boolean;
  /** Frozen weights up to this many bytes are packed for generation, which is faster and one more copy of them. */
  prepackLimit?: number;
}>;
