/** Options of a graph's build. */
import type { Graph } from "../../graph/graph.ts";
import type { AttachedAdapter, GraphBuilder, Middleware, Named, Side, Tensor } from "../../types.ts";

/** Options of a build. */
export type BuildOptions = Readonly<{
  graph: Graph;
  mode: GraphBuilder["mode"];
  attached: readonly AttachedAdapter[];
  /** The middleware of regularizers, outside that of adapters. */
  around?: readonly Readonly<{ name: string; around: Middleware }>[];
  /** False for a training graph without dropout and noise. */
  random?: boolean;
  initializerRange: number;
  labelSmoothing: number;
  checkpointing: boolean;
  /** Whether a parameter trains. */
  isTrainable: (name: string, adapter: boolean) => boolean;
  /** The collator's label tensors, by name. */
  targets: Named<Tensor>;
  /** The names of all fields that the collator makes. */
  fields?: readonly string[];
  /** The number of query blocks of causal attention; each sees only the keys up to its end. */
  queryBlocks?: number | undefined;
  /** In generation: whether this graph computes the prompt, or one more token after cached ones. */
  phase?: Phase | undefined;
  /** The side that generation extends. */
  grows?: Side | undefined;
  /** The prefix of the names of a head's parameters, where several tasks share a model. */
  taskName?: string | undefined;
  /** Whether a parameter that a head reads is the model's, and thus shared by all tasks. */
  shared?: (name: string) => boolean;
  /** Tensors that the model ties but the checkpoint does not: see `InspectedBackbone.untied`. */
  untied?: readonly string[] | undefined;
}>;

/**
 * The phase of generation: a whole prompt, or one more token after cached places. An encoder runs only with the prompt,
 * which therefore has a graph of its own.
 */
export type Phase = "prefill" | "decode";

/** Whether a build draws random numbers. */
export function drawsRandomly({ mode, random }: Pick<BuildOptions, "mode" | "random">): boolean {
  return mode === "train" && random !== false;
}
