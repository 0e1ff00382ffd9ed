/** Exporters: a trained model as files of another ecosystem. */
import type { Named, Tensor } from "../base/types.ts";
import type { Store } from "./host.ts";
import type { Subtask } from "./task.ts";
import type { AttachedAdapter } from "./adapter.ts";
import type { InspectedBackbone } from "./architecture.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Plugin } from "./plugin.ts";

/** Trained state → files of another ecosystem. */
export interface Exporter extends Plugin<"exporter"> {
  /** What it can leave of a run with these adapters, their folder or a whole model's; absent: it writes where it is asked to. */
  leaves?(attached: readonly AttachedAdapter[]): "adapter" | "model" | undefined;
  write(trained: TrainedModel, to: Store): Promise<readonly string[]>;
}

/** A trained model as an exporter sees it. Tensors are read one at a time, so that the model need not fit in memory. */
export type TrainedModel = Readonly<{
  base: Checkpoint;
  backbone: InspectedBackbone;
  task: Subtask;
  attached: readonly AttachedAdapter[];
  /** Names of the parameters that trained, or that the base has no values for. */
  trained: readonly string[];
  /** Every parameter of the program, and whether it is an adapter's own. */
  all: Named<Readonly<{ shape: readonly number[]; adapter: boolean }>>;
  read(name: string): Promise<Tensor<Float32Array>>;
  metrics: Named<number>;
  card: string;
  /** The card of a whole model, where adapters are folded in. */
  modelCard?: string;
}>;
