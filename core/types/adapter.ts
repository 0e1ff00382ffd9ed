/** Adapters: middleware at a model's hook points, and the form they are saved in. */
import type { Value } from "../graph/graph.ts";
import type { Json, Named, Tensor } from "../base/types.ts";
import type { GraphBuilder, HookPoints } from "./build.ts";
import type { Host } from "./host.ts";
import type { Plugin } from "./plugin.ts";
import type { Tokenizer } from "./rows.ts";
import type { Weights } from "./weights.ts";
import type { InspectedBackbone } from "./architecture.ts";

/** A plugin that attaches middleware to a model's hook points. */
export interface Adapter extends Plugin<"adapter"> {
  /** Reads the saved adapter that it continues (`from`), if any, before it is attached. */
  open?(host: Host): Promise<Adapter>;
  attach(backbone: InspectedBackbone, context: AttachContext): AttachedAdapter;
}

/** The context of an adapter in addition to the model: the head's modules, PEFT's task_type, the run's tokenizer. */
export type AttachContext = Readonly<{
  modules: readonly string[];
  task: string;
  tokenizer?: Tokenizer;
  /** Returns how many inputs share a scale in a linear layer's encoded weight; undefined if it has no such blocks. */
  blockSizeOf?: (module: string) => number | undefined;
  /** Whether the checkpoint has weights of a module. */
  isInCheckpoint?: (module: string) => boolean;
  /**
   * If transformers' class with this head keeps the model in a module of its own: that module, and the head's modules
   * next to it.
   */
  parent?: Readonly<{ module: string; beside: readonly string[] }>;
}>;

/** Middleware by hook point. */
export type Middleware = {
  readonly [S in keyof HookPoints]?: (
    b: GraphBuilder,
    call: HookPoints[S],
    next: (call: HookPoints[S]) => Value,
  ) => Value;
};

/** An adapter's work between optimizer steps. Its state is part of checkpoints. */
export interface StepHook {
  tensors(): Named<Tensor<Float32Array>>;
  restore(tensors: Named<Tensor<Float32Array>>): void;
  /**
   * Called after each update; `parameter` returns views that may be changed, and the update's gradient before clipping.
   */
  onStep(
    at: Readonly<{
      step: number;
      totalSteps: number;
      gradientScale: number;
      parameter(name: string): Readonly<{ value: Float32Array; gradient: Float32Array }> | undefined;
    }>,
  ): void;
}

/** An adapter attached to a backbone. */
export interface AttachedAdapter extends Middleware {
  /** Whether a parameter that is not the adapter's own trains, such as a bias; the last adapter to answer decides. */
  isTrainable?(name: string): boolean | undefined;
  /** Whether a module is copied, as in PEFT's modules_to_save: the copy's tensors are no longer tied to others. */
  copies?(module: string): boolean;
  /** Whether a module with a tied tensor uses the update of the other module rather than its own. */
  sharesUpdate?(module: string): boolean;
  /** The initial values, if it continues a saved adapter. */
  readonly weights?: Weights;
  /** The prefix of the names of its own parameters, if several adapters are attached. */
  readonly name?: string;
  /** Builds a further term of the training loss from its own parameters: a scalar, once per step. */
  penalty?(b: GraphBuilder): Value;
  /** Creates its work between optimizer steps, anew for each training. */
  stepHook?(): StepHook;
  /** Places reserved in front of each sequence: `tokens` of its inputs, or just `positions` (of a decoder, if any). */
  readonly reservedPositions?: Readonly<{ tokens?: number; positions?: number }>;
  /** True if several sequences must not share a row. */
  readonly unshareable?: boolean;
  /** Returns a parameter of the model with the adapter merged, weights as [out, in]; absent: it cannot be merged. */
  merge?(
    name: string,
    value: Tensor<Float32Array>,
    parameterOf: (name: string) => Tensor<Float32Array>,
  ): Tensor<Float32Array>;
  /** Its saved form; absent: it can only be saved as part of a whole model. */
  readonly record?: AdapterRecord;
  /** Returns the role of one of its own parameters for a module; absent: unknown for all. */
  roleOf?(name: string): AdapterRole | undefined;
}

/** The saved form of an adapter, which formats turn into files. */
export type AdapterRecord = Readonly<{
  /** The formats that can hold it, with its type there: `{ peft: "LORA" }`. */
  formats: Named<string>;
  /** Its options, by that format's names. */
  config: Named<Json>;
  /**
   * Returns the name of a parameter (its own or the model's) in the file; undefined if it is not saved. Loading uses
   * the same names.
   */
  key(name: string): string | undefined;
  /** Computes further tensors of the file from its parameters. */
  derived?(read: (name: string) => Promise<Tensor<Float32Array>>): Promise<Named<Tensor>>;
}>;

/** The role of an adapter's parameter: a factor of a module's update, or rows that replace some of its table's. */
export type AdapterRole = Readonly<{ module: string; role: "factor" | "rows" }>;
