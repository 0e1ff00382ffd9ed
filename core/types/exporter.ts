/** Exporters, which write a trained model as files of another ecosystem. */
import type { Named, Tensor } from "../base/types.ts";
import type { Store } from "./host.ts";
import type { Subtask } from "./task.ts";
import type { AttachedAdapter } from "./adapter.ts";
import type { InspectedBackbone } from "./architecture.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Plugin } from "./plugin.ts";

/** A plugin that writes a trained model as files of another ecosystem. */
export interface Exporter extends Plugin<"exporter"> {
  /** Returns whether it writes a run's result with these adapters as an adapter or a model; absent: only on request. */
  leaves?(attached: readonly AttachedAdapter[]): "adapter" | "model" | undefined;
  write(trained: TrainedModel, to: Store): Promise<readonly string[]>;
}

/** A trained model as an exporter sees it. Tensors are read one at a time, so that the model need not fit in memory. */
export type TrainedModel = Readonly<{
  base: Checkpoint;
  backbone: InspectedBackbone;
  task: Subtask;
  attached: readonly AttachedAdapter[];
  /** The names of parameters that were trained, or that the base has no values for. */
  trained: readonly string[];
  /** All parameters of the program, and whether each is an adapter's own. */
  all: Named<Readonly<{ shape: readonly number[]; adapter: boolean }>>;
  read(name: string): Promise<Tensor<Float32Array>>;
  metrics: Named<number>;
  card: string;
  /** The model card of a whole model, if adapters are merged. */
  modelCard?: string;
}>;
