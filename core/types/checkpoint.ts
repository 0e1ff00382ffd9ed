/** Opened checkpoints, and the plugins that open them. */
import type { Json, Named } from "../base/types.ts";
import type { Host, Store } from "./host.ts";
import type { Plugin } from "./plugin.ts";
import type { FrozenWeights, TrainedProducts } from "./storage.ts";
import type { Weights } from "./weights.ts";

/** Opens a checkpoint: `pretrained`, `random`, `attune:base`. */
export interface ModelSource extends Plugin<"model"> {
  open(host: Host): Promise<Checkpoint>;
}

/** An opened checkpoint; `model_type` of its config picks the architecture from the catalog. */
export type Checkpoint = Readonly<{
  config: Named<Json>;
  files: Store;
  weights: Weights;
  /** Of the config and every byte of the weights, read when it is first asked for. */
  fingerprint(): Promise<string>;
  /** How it is named in cards and adapter_config.json. */
  label: string;
  /** Whether tensors of other dims than the model's start anew instead of being an error. */
  ignoreMismatchedSizes?: boolean;
  /** Where tokens were added: rows that its tables have in its files, and the names of parameters that grew. */
  vocabSizeBefore?: number;
  grownParameters?: readonly string[];
  /** How the run's accelerators store weights that do not train. */
  frozen?: FrozenWeights;
  /** How they compute products over weights that train. */
  products?: TrainedProducts;
  /** What was quantized before it was saved. */
  quantization?: CheckpointQuantization;
}>;

/**
 * Weights of a checkpoint that a library has quantized. They train as they are, frozen, below adapters, and no
 * accelerator takes them; `config` and `files` are as those of the model without it.
 */
export type CheckpointQuantization = Readonly<{
  /** As messages name it: "gptq (4 bits)". */
  method: string;
  /**
   * Names of weights of linear layers that may not train; what is read of them is [out, in]. Those of GGUF files may.
   */
  weights: ReadonlySet<string>;
}>;
