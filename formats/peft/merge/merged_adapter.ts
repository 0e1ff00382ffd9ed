/** Options of merging adapters, and its result. */
import type { TensorForm } from "../../../core/files/safetensors.ts";
import type { Json, Named, Tensor } from "../../../core/types.ts";
import type { MajoritySignMethod } from "./arithmetic.ts";
import type { DareMask, MergeMethod } from "./methods.ts";

/** Options of merging adapters. */
export type MergeOptions = Readonly<{
  method: MergeMethod;
  /** One per adapter; absent: equal, adding up to 1. */
  weights?: readonly number[];
  /** Share of the values that pruning keeps. Required for ties, dare_* and magnitude_prune. */
  density?: number;
  majoritySignMethod?: MajoritySignMethod;
  /** Rank of the result of decomposing methods; absent: the largest of the adapters' ranks. */
  svdRank?: number;
  /** Index of the adapter whose fully trained modules (a classifier) are used, if several have them. */
  modulesFrom?: number;
  /** Seed of dare's masks. */
  seed?: number;
  /** Masks to use instead of random ones. */
  masks?: DareMask;
  /** Bytes and elementary steps that one module may take while it is merged; absent: any number. */
  maxBytes?: number;
  maxSteps?: number;
}>;

/** A merged adapter, its tensors computed when they are read. */
export type MergedAdapter = Readonly<{
  config: Named<Json>;
  /** The names of the classes, from the adapter whose classifier is used. */
  head?: Named<Json> | undefined;
  forms: Named<TensorForm>;
  read(name: string): Promise<Tensor<Float32Array>>;
}>;
