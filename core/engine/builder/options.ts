/** How a graph is built. */
import type { Graph } from "../../graph/graph.ts";
import type { AttachedAdapter, GraphBuilder, Middleware, Named, Side, Tensor } from "../../types.ts";

/** How a build goes. */
export type BuildOptions = Readonly<{
  graph: Graph;
  mode: GraphBuilder["mode"];
  attached: readonly AttachedAdapter[];
  /** Regularizers' middleware, outside of the adapters'. */
  around?: readonly Readonly<{ name: string; around: Middleware }>[];
  /** False where a training graph is wanted without its randomness. */
  random?: boolean;
  initializerRange: number;
  labelSmoothing: number;
  checkpointing: boolean;
  /** Whether a parameter trains. */
  isTrainable: (name: string, adapter: boolean) => boolean;
  /** What the collator makes of labels. */
  targets: Named<Tensor>;
  /** Names of what the collator makes. */
  fields?: readonly string[];
  /** Into how many blocks of queries causal attention is cut; each sees only the keys up to its end. */
  queryBlocks?: number | undefined;
  /** In generation: whether what comes before is computed, or is what was cached of it. */
  phase?: Phase | undefined;
  /** The side that generation adds to. */
  grows?: Side | undefined;
  /** Stands in front of the names of a head's parameters, where several tasks share a model. */
  taskName?: string | undefined;
  /** Whether a parameter that a head asks for is the model's, and so every task's. */
  shared?: (name: string) => boolean;
  /** Tensors that the checkpoint does not share though the model would: see `InspectedBackbone.untied`. */
  untied?: readonly string[] | undefined;
}>;

/**
 * Of generation: over what came before, one token more or a whole prompt (of which nothing came before). Where another
 * side is read, that side is computed with the prompt: in a graph of its own.
 */
export type Phase = "prefill" | "decode";

/** Whether a build draws random numbers. */
export function drawsRandomly({ mode, random }: Pick<BuildOptions, "mode" | "random">): boolean {
  return mode === "train" && random !== false;
}
