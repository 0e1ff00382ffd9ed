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
  /** Returns the fingerprint of the config and every byte of the weights, which are read on the first call. */
  fingerprint(): Promise<string>;
  /** Its name in model cards and adapter_config.json. */
  label: string;
  /** Whether tensors with other dims than the model's are initialised anew rather than an error. */
  ignoreMismatchedSizes?: boolean;
  /** If tokens were added: the number of rows of its tables in the files, and the names of parameters that grew. */
  vocabSizeBefore?: number;
  grownParameters?: readonly string[];
  /** How the run's accelerators store frozen weights. */
  frozen?: FrozenWeights;
  /** How the run's accelerators compute products with trained weights. */
  products?: TrainedProducts;
  /** The quantization of the saved weights, if any. */
  quantization?: CheckpointQuantization;
}>;

/**
 * The quantization of a checkpoint by another library. Its weights stay quantized and frozen below adapters, and no
 * accelerator handles them; the checkpoint's `config` and `files` are those of the unquantized model.
 */
export type CheckpointQuantization = Readonly<{
  /** Its name in messages: "gptq (4 bits)". */
  method: string;
  /**
   * The names of linear layers' weights that cannot train, which are read as [out, in]. Those of GGUF files can train.
   */
  weights: ReadonlySet<string>;
}>;
