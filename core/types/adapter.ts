/** Adapters: middleware at a model's hook points, and what is saved of it. */
import type { Value } from "../graph/graph.ts";
import type { Json, Named, Tensor } from "../base/types.ts";
import type { GraphBuilder, HookPoints } from "./build.ts";
import type { Host } from "./host.ts";
import type { Plugin } from "./plugin.ts";
import type { Tokenizer } from "./rows.ts";
import type { Weights } from "./weights.ts";
import type { InspectedBackbone } from "./architecture.ts";

/** Middleware around the named seams of a model. */
export interface Adapter extends Plugin<"adapter"> {
  /** Reads what it continues from (`from`), if anything, before it is attached. */
  open?(host: Host): Promise<Adapter>;
  attach(backbone: InspectedBackbone, context: AttachContext): AttachedAdapter;
}

/** The context of an adapter besides the model: the head's modules, PEFT's task_type, the run's tokenizer. */
export type AttachContext = Readonly<{
  modules: readonly string[];
  task: string;
  tokenizer?: Tokenizer;
  /** The inputs that share a scale in the weight of a linear layer that is stored as codes; undefined: it has none. */
  blockSizeOf?: (module: string) => number | undefined;
  /** Whether the checkpoint has weights of a module. */
  isInCheckpoint?: (module: string) => boolean;
  /**
   * Where the library's class with this head has the model in a module of its own: that, and the head's modules beside
   * it.
   */
  parent?: Readonly<{ module: string; beside: readonly string[] }>;
}>;

/** Middleware per seam. */
export type Middleware = {
  readonly [S in keyof HookPoints]?: (
    b: GraphBuilder,
    call: HookPoints[S],
    next: (call: HookPoints[S]) => Value,
  ) => Value;
};

/** Work that an adapter does between optimizer steps. Its state is part of checkpoints. */
export interface StepHook {
  tensors(): Named<Tensor<Float32Array>>;
  restore(tensors: Named<Tensor<Float32Array>>): void;
  /**
   * Behind an update; `parameter` gives views that may be changed, and the gradient of that update, not yet clipped.
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

/** An adapter that knows its backbone. */
export interface AttachedAdapter extends Middleware {
  /** Other parameters: biases, modulesToSave, all, none; the last adapter that answers decides. */
  isTrainable?(name: string): boolean | undefined;
  /** Whether a module is a copy of its own, as PEFT's modules_to_save: what it shares with others is shared no more. */
  copies?(module: string): boolean;
  /** Whether a module that shares its tensor has another's update rather than one of its own. */
  sharesUpdate?(module: string): boolean;
  /** Values to start from, where it continues a saved adapter. */
  readonly weights?: Weights;
  /** Stands in front of the names of its own parameters, where several adapters are attached. */
  readonly name?: string;
  /** A further term of the training loss, of its own parameters: a scalar, once a step. */
  penalty?(b: GraphBuilder): Value;
  /** Its work between optimizer steps, made anew for each training. */
  stepHook?(): StepHook;
  /** Places kept free in front of each sequence; positions alone are the decoder's where a model has that side. */
  readonly reservedPositions?: Readonly<{ tokens?: number; positions?: number }>;
  /** True where several sequences may not share a row. */
  readonly unshareable?: boolean;
  /** A parameter of the model with the adapter folded in, weights as [out, in]; absent: cannot be merged. */
  merge?(
    name: string,
    value: Tensor<Float32Array>,
    parameterOf: (name: string) => Tensor<Float32Array>,
  ): Tensor<Float32Array>;
  /** What is saved of it; absent: only a whole model can be saved, with what it trained. */
  readonly record?: AdapterRecord;
  /** What a parameter of its own is to a module; absent: of nothing that can be told. */
  roleOf?(name: string): AdapterRole | undefined;
}

/** What an adapter saves, which formats turn into files. */
export type AdapterRecord = Readonly<{
  /** The format that can hold it, and what that calls it: `{ peft: "LORA" }`. */
  formats: Named<string>;
  /** Its options, in that format's words. */
  config: Named<Json>;
  /**
   * What a parameter, its own or the model's, is called in the file; undefined: it is not in it. Loading reads the same
   * names.
   */
  key(name: string): string | undefined;
  /** Further tensors of the file, made of its parameters. */
  derived?(read: (name: string) => Promise<Tensor<Float32Array>>): Promise<Named<Tensor>>;
}>;

/** A parameter of an adapter: a factor of a module's update, or rows that stand in place of some of its table's. */
export type AdapterRole = Readonly<{ module: string; role: "factor" | "rows" }>;
