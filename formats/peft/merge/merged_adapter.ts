/** What adapters are merged by, and what they merge to. */
import type { TensorForm } from "../../../core/files/safetensors.ts";
import type { Json, Named, Tensor } from "../../../core/types.ts";
import type { MajoritySignMethod } from "./arithmetic.ts";
import type { DareMask, MergeMethod } from "./methods.ts";

/** How adapters are merged. */
export type MergeOptions = Readonly<{
  method: MergeMethod;
  /** One per adapter; absent: equal, adding up to 1. */
  weights?: readonly number[];
  /** Share of the values that pruning keeps: needed by ties, dare_* and magnitude_prune. */
  density?: number;
  majoritySignMethod?: MajoritySignMethod;
  /** Rank of what is decomposed again; absent: the largest of the adapters'. */
  svdRank?: number;
  /** The number of the adapter whose wholly trained modules (a classifier) are taken, where several have them. */
  modulesFrom?: number;
  /** Seed of dare's masks. */
  seed?: number;
  /** Masks given rather than drawn. */
  masks?: DareMask;
  /** Bytes and elementary steps that one module may take while it is merged; absent: any number. */
  maxBytes?: number;
  maxSteps?: number;
}>;

/** A merged adapter, its tensors computed when they are read. */
export type MergedAdapter = Readonly<{
  config: Named<Json>;
  /** The names of a classifier's classes, of the adapter whose classifier is taken. */
  head?: Named<Json> | undefined;
  forms: Named<TensorForm>;
  read(name: string): Promise<Tensor<Float32Array>>;
}>;
