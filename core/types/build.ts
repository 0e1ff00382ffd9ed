/** The graph builder, and the hook points at which adapters reach into it. */
import type { Graph, Shape, Value } from "../graph/graph.ts";
import type { DType, Named, Random } from "../base/types.ts";
import type { Weights } from "./weights.ts";

export type { Append, Asked, Graph, Purpose, Rewrite, Shape, Value } from "../graph/graph.ts";

/** Which ids a stream holds, as in input_ids and decoder_input_ids. */
export type Side = "input" | "decoder";

/** The builder that models, adapters, heads, losses and regularizers write with. Inside middleware its hook points call no middleware. */
export interface GraphBuilder {
  readonly mode: "train" | "evaluate" | "generate";
  readonly graph: Graph;
  /** ε of label smoothing, for losses that know classes. */
  readonly labelSmoothing: number;
  /** `role`: whose places are asked for; in generation there are more keys than queries. */
  stream(side?: Side, role?: "queries" | "keys"): TokenStream;
  /** A field that the collator makes; a missing one is found before step 1. */
  input(name: string, dtype: DType, shape: Shape): Value;
  /** The places [picked] that have labels of this name, for `rows`; undefined if rows come without labels. */
  labelled(name: string): Value | undefined;
  /** Whether the collator makes a field; false where nothing is known of rows. */
  hasField(name: string): boolean;
  /** The same name, the same value. `frozen`: never trains, as a buffer or what an adapter keeps as it was. */
  parameter(name: string, shape: readonly number[], init?: Initializer, options?: { readonly frozen?: boolean }): Value;
  /** The trainable parameters of this run, by name. */
  trainable(): Named<Value>;
  /** In training each value is zero with probability p, the others grow by 1 / (1 - p); x is of places, or of weights. */
  dropout(x: Value, p: number): Value;
  /** Uniform numbers from -1 to 1 of a shape [places, ...], drawn by the host; zero at padding and outside training. */
  noise(like: Value): Value;
  linear(path: string, x: Value, options: LinearOptions): Value; // [tokens, in] → [tokens, out]
  embedding(path: string, ids: Value, options: EmbeddingOptions): Value; // [batch, seq] → [tokens, embeddingDim]
  /** [batch, seq, heads, headDim] each; several heads of `q` may share one of `k` and `v`, in order. */
  attention(path: string, q: Value, k: Value, v: Value, options?: AttentionOptions): Value;
  /** `f` without the residual. */
  sublayer(path: string, x: Value, f: (x: Value) => Value, options?: SublayerOptions): Value;
  /** Some places of [batch*seq, ...] of either side: what a head does not read is then not computed. */
  rows(x: Value, index: Value): Value;
  /**
   * Marks a layer: its output may be asked for, and gradient checkpointing cuts here. `also`: what else it reads that
   * was computed before it, as the encoder's states.
   */
  layer(path: string, x: Value, f: (x: Value) => Value, also?: readonly Value[]): Value;
}

/**
 * One side's places; the decoder's side has `decoderSeq` where the other has `seq`. `segments`: 0 is padding, n the n-th
 * sequence of its row, the same on both sides; `positions` restart in each sequence; both [batch, seq] int32, as
 * `sequence`: the batch's sequence that a place belongs to, -1 at padding. `columnIndex`: 0, 1, 2, ... [seq] int32. `first`
 * and `last`: each sequence's place within batch * seq, [sequences] int32.
 */
export type TokenStream = Readonly<{
  ids: Value;
  segments: Value;
  positions: Value;
  sequence: Value;
  columnIndex: Value;
  first: Value;
  last: Value;
}>;

/**
 * A linear layer. `tied`, `tiedBias`: the parameters that its weight and bias are, where other modules' are the same. `conv1d`: stored [in, out], as GPT-2 does. `init`:
 * of the weight, where not as the model's others.
 */
export type LinearOptions = Readonly<
  { outFeatures: number; bias?: boolean; tied?: string; tiedBias?: string; conv1d?: boolean; init?: Initializer }
>;

/** An embedding table. `tied`: the parameter that it is, where other modules' are the same; `paddingIdx`: the row that gets no gradient; `scale`: what rows that are looked up are multiplied by. */
export type EmbeddingOptions = Readonly<{
  numEmbeddings: number;
  embeddingDim: number;
  scale?: number;
  init?: Initializer;
  paddingIdx?: number;
  tied?: string;
  side?: Side;
}>;

/** How attention masks, scales and drops. */
export type AttentionOptions = Readonly<{
  causal?: boolean;
  /** Keys less than so many places away are seen: before the query where causal, else to both sides. */
  window?: number;
  scale?: number;
  softcap?: number;
  dropout?: number;
  queries?: Side;
  keys?: Side;
  bias?: Value; // broadcasts to [batch, heads, q, k]
  /** That of keys that stand in front, at these positions [count] int32; absent: a bias leaves no room for such keys. */
  prefixBias?: (positions: Value) => Value;
}>;

/** The residual that `f` is added to (default: `x`), and the norm after the sum, if there is one. */
export type SublayerOptions = Readonly<{ residual?: Value; norm?: (sum: Value) => Value }>;

/** The arguments of the middleware at each hook point. `weight` is [out, in] however it is stored; every token sees the first `prefix` keys. */
export interface HookPoints {
  linear: Readonly<
    { path: string; x: Value; weight: Value; bias: Value | undefined; inFeatures: number; outFeatures: number }
  >;
  /** The rows looked up are multiplied by `scale`. */
  embedding: Readonly<
    { path: string; ids: Value; weight: Value; embeddingDim: number; scale: number; side: Side }
  >;
  attention: Readonly<{ path: string; q: Value; k: Value; v: Value; prefix: number; options: AttentionOptions }>;
  sublayer: Readonly<{ path: string; x: Value; hiddenSize: number; residual: Value; norm?: (sum: Value) => Value }>;
  /** Around a whole layer. */
  layer: Readonly<{ path: string; x: Value; hiddenSize: number }>;
}

/** Initial values: a constant fill, a normal's standard deviation, a uniform's bound, or anything else from the checkpoint. */
export type Initializer =
  | "zeros"
  | "ones"
  | { readonly normal: number }
  | { readonly uniform: number }
  | ((weights: InitialValues, random: Random) => Promise<Float32Array>);

/**
 * What initial values are made of: the checkpoint's tensors under the model's names. `read`: as sessions compute with them;
 * `readWhole`: as the checkpoint has them, before an accelerator has stored them in fewer bits.
 */
export type InitialValues = Readonly<Pick<Weights, "read"> & { readWhole?: Weights["read"] }>;
