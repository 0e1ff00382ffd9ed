/** The graph builder, and the hook points at which adapters wrap it. */
import type { Graph, Shape, Value } from "../graph/graph.ts";
import type { DType, Named, Random } from "../base/types.ts";
import type { Weights } from "./weights.ts";

export type { Append, Graph, Purpose, RequestedOp, Rewrite, Shape, Value } from "../graph/graph.ts";

/** The side of an encoder-decoder model, as in input_ids and decoder_input_ids. */
export type Side = "input" | "decoder";

/** The builder for models, adapters, heads, losses, regularizers. Within middleware, hook points call no middleware. */
export interface GraphBuilder {
  readonly mode: "train" | "evaluate" | "generate";
  readonly graph: Graph;
  /** ε of label smoothing, for losses over classes. */
  readonly labelSmoothing: number;
  /** Returns a side's token stream. `role`: for queries or keys; in generation there are more keys than queries. */
  stream(side?: Side, role?: "queries" | "keys"): TokenStream;
  /** Returns a field of the collator as input; if it is missing, an error is thrown before step 1. */
  input(name: string, dtype: DType, shape: Shape): Value;
  /** Returns the places [picked] with labels of this name, for `rows`; undefined if rows have no labels. */
  labelled(name: string): Value | undefined;
  /** Whether the collator makes a field; false if nothing is known about the rows. */
  hasField(name: string): boolean;
  /** Declares a parameter; the same name returns the same value. `frozen`: never trains, as a buffer. */
  parameter(name: string, shape: readonly number[], init?: Initializer, options?: { readonly frozen?: boolean }): Value;
  /** Returns the trainable parameters of this run, by name. */
  trainable(): Named<Value>;
  /** In training, zeroes values of x (places or a weight) with probability p and scales the others by 1 / (1 - p). */
  dropout(x: Value, p: number): Value;
  /** Returns uniform numbers from -1 to 1, [places, ...], drawn by the host; zero at padding and outside training. */
  noise(like: Value): Value;
  linear(path: string, x: Value, options: LinearOptions): Value; // [tokens, in] → [tokens, out]
  embedding(path: string, ids: Value, options: EmbeddingOptions): Value; // [batch, seq] → [tokens, embeddingDim]
  /** Builds attention over [batch, seq, heads, headDim]; consecutive heads of `q` may share a head of `k` and `v`. */
  attention(path: string, q: Value, k: Value, v: Value, options?: AttentionOptions): Value;
  /** Builds a sublayer with its residual; `f` builds it without the residual. */
  sublayer(path: string, x: Value, f: (x: Value) => Value, options?: SublayerOptions): Value;
  /** Selects places of [batch*seq, ...] of either side, so that the other places are not computed. */
  rows(x: Value, index: Value): Value;
  /**
   * Marks a layer: its output is available as a hidden state, and gradient checkpointing cuts here. `also`: further
   * values computed earlier that it reads, such as the encoder's states.
   */
  layer(path: string, x: Value, f: (x: Value) => Value, also?: readonly Value[]): Value;
}

/**
 * The places of one side, all int32; on the decoder's, `seq` is `decoderSeq`. `segments` [batch, seq]: 0 at padding, n
 * in the n-th sequence of a row, the same on both sides. `positions` [batch, seq]: restart in each sequence. `sequence`
 * [batch, seq]: the index of a place's sequence in the batch, -1 at padding. `columnIndex` [seq]: 0, 1, 2, ... `first`,
 * `last` [sequences]: the place of each sequence's first and last token within batch * seq.
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
 * A linear layer. `tied`, `tiedBias`: the other modules' parameters that its weight and bias are tied to. `conv1d`:
 * stored as [in, out], as in GPT-2. `init`: the initializer of the weight, if not the model's usual one.
 */
export type LinearOptions = Readonly<
  { outFeatures: number; bias?: boolean; tied?: string; tiedBias?: string; conv1d?: boolean; init?: Initializer }
>;

/** An embedding. `tied`: the parameter it is tied to; `paddingIdx`: a row without gradient; `scale`: of its output. */
export type EmbeddingOptions = Readonly<{
  numEmbeddings: number;
  embeddingDim: number;
  scale?: number;
  init?: Initializer;
  paddingIdx?: number;
  tied?: string;
  side?: Side;
}>;

/** Options of attention: masks, scale and dropout. */
export type AttentionOptions = Readonly<{
  causal?: boolean;
  /** Keys fewer than this many places away are visible: before the query if causal, else on both sides. */
  window?: number;
  scale?: number;
  softcap?: number;
  dropout?: number;
  queries?: Side;
  keys?: Side;
  bias?: Value; // broadcasts to [batch, heads, q, k]
  /** Returns the bias for prefix keys at positions [count] int32; absent: a model with `bias` takes no prefix. */
  prefixBias?: (positions: Value) => Value;
}>;

/** The residual that `f` is added to (default: `x`), and the norm after the sum, if there is one. */
export type SublayerOptions = Readonly<{ residual?: Value; norm?: (sum: Value) => Value }>;

/** Arguments of middleware by hook point. `weight` is always [out, in]; every token sees the first `prefix` keys. */
export interface HookPoints {
  linear: Readonly<
    { path: string; x: Value; weight: Value; bias: Value | undefined; inFeatures: number; outFeatures: number }
  >;
  /** A lookup; its rows are multiplied by `scale`. */
  embedding: Readonly<
    { path: string; ids: Value; weight: Value; embeddingDim: number; scale: number; side: Side }
  >;
  attention: Readonly<{ path: string; q: Value; k: Value; v: Value; prefix: number; options: AttentionOptions }>;
  sublayer: Readonly<{ path: string; x: Value; hiddenSize: number; residual: Value; norm?: (sum: Value) => Value }>;
  /** A whole layer. */
  layer: Readonly<{ path: string; x: Value; hiddenSize: number }>;
}

/** An initializer: a constant, a normal's standard deviation, a uniform's bound, or a function of the checkpoint. */
export type Initializer =
  | "zeros"
  | "ones"
  | { readonly normal: number }
  | { readonly uniform: number }
  | ((weights: InitialValues, random: Random) => Promise<Float32Array>);

/**
 * The checkpoint's tensors by the model's names, for computing initial values. `read`: as sessions compute with them;
 * `readWhole`: as in the checkpoint, before an accelerator quantizes them.
 */
export type InitialValues = Readonly<Pick<Weights, "read"> & { readWhole?: Weights["read"] }>;
