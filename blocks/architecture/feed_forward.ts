/** The feed-forward part of a layer, plain and gated. */
import { mul, slice } from "../../core/graph/ops/functions.ts";
import type { GraphBuilder, Value } from "../../core/types.ts";

/** Sizes of a feed-forward part. `conv1d`: weights are stored [in, out]. */
export type FeedForwardOptions = Readonly<{
  hiddenSize: number;
  intermediateSize: number;
  activation: (x: Value) => Value;
  bias: boolean;
  conv1d?: boolean;
  /** Dropout before the second layer. */
  dropout?: number;
}>;

/** Computes W₂ act(W₁ x). */
export function plainFeedForward(
  b: GraphBuilder,
  x: Value,
  paths: Readonly<{ inner: string; outer: string }>,
  { hiddenSize, intermediateSize, activation, bias, conv1d }: FeedForwardOptions,
): Value {
  const inner = activation(b.linear(paths.inner, x, { outFeatures: intermediateSize, bias, conv1d }));
  return b.linear(paths.outer, inner, { outFeatures: hiddenSize, bias, conv1d });
}

/**
 * Computes W₂ (act(W₁ x) ⊙ W₃ x) (Shazeer 2020). If `gate` and `up` have the same path, both are stored as one layer,
 * gate first.
 */
export function gatedFeedForward(
  b: GraphBuilder,
  x: Value,
  paths: Readonly<{ gate: string; up: string; down: string }>,
  { hiddenSize, intermediateSize, activation, bias, dropout = 0 }: FeedForwardOptions,
): Value {
  const [gate, up] = paths.gate === paths.up
    ? halves(b.linear(paths.gate, x, { outFeatures: 2 * intermediateSize, bias }), intermediateSize)
    : [paths.gate, paths.up].map((path) => b.linear(path, x, { outFeatures: intermediateSize, bias }));
  return b.linear(paths.down, b.dropout(mul(activation(gate as Value), up as Value), dropout), {
    outFeatures: hiddenSize,
    bias,
  });
}

function halves(x: Value, size: number): Value[] {
  return [slice(x, -1, 0, size), slice(x, -1, size, null)];
}
