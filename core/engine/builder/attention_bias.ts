/**
 * The attention bias, which is added to attention scores: 0 for a visible key, else a number so low that its
 * probability becomes 0.
 */
import { missing, unsupported } from "../../base/errors.ts";
import * as f from "../../graph/ops/functions.ts";
import type { Dim } from "../../graph/ops/dims.ts";
import type { Value } from "../../graph/graph.ts";
import type { AttentionOptions } from "../../types.ts";
import type { BuildOptions } from "./options.ts";
import { firstPositions, tokenStream } from "./tokens.ts";

/** A score so low that its exponential is zero beside any other. */
export const MASKED_SCORE = -1e9;

/** Returns the bias for attention with some options, where every token sees `prefix` keys in front of the sequence. */
export type AttentionBias = (options: AttentionOptions, prefix: number) => Value;

/** Creates the biases of a build, which layers with the same options share. */
export function createAttentionBias(build: BuildOptions): AttentionBias {
  const biases = new Map<string, Value>();
  return (options, prefix) => {
    const { causal = false, window = 0, queries = "input", keys = "input" } = options;
    const key = JSON.stringify([prefix, causal, window, queries, keys]);
    const bias = biases.get(key) ?? attentionBias(build, options, prefix);
    biases.set(key, bias);
    return bias;
  };
}

// Padding sees every token, as it does in torch.
function attentionBias(build: BuildOptions, options: AttentionOptions, prefix: number): Value {
  const [q, k] = [tokenStream(build, options.queries), tokenStream(build, options.keys, "keys")];
  const asQuery = (v: Value): Value => f.reshape(v, ["batch", 1, v.shape[1] ?? 1, 1]);
  const asKey = (v: Value): Value => f.reshape(v, ["batch", 1, 1, v.shape[1] ?? 1]);
  const [qs, ks] = [asQuery(q.segments), asKey(k.segments)];
  let visible = f.and(f.or(f.equal(qs, ks), f.equal(qs, 0)), f.greater(ks, 0));
  if (options.causal || options.window) {
    const [qp, kp] = [asQuery(q.positions), asKey(k.positions)];
    if (options.causal) visible = f.and(visible, f.not(f.greater(kp, qp)));
    if (options.window) {
      visible = f.and(visible, f.greater(kp, f.sub(qp, options.window)));
      if (!options.causal) visible = f.and(visible, f.greater(f.add(qp, options.window), kp));
    }
  }
  const bias = f.where(visible, 0, MASKED_SCORE);
  return prefix === 0 ? bias : f.concat([biasInFront(bias, asQuery(q.positions), prefix, options.window), bias], 3);
}

// Prefix keys have the first positions: all are visible except those that a window has moved past.
function biasInFront(like: Value, positions: Value, prefix: number, window: number | undefined): Value {
  const [batch, one, queries] = like.shape as [Dim, Dim, Dim];
  if (!window) return f.zeros(like, [batch, one, queries, prefix]);
  const keys = f.reshape(firstPositions(like.graph, prefix), [1, 1, 1, prefix]);
  return f.where(f.greater(keys, f.sub(positions, window)), 0, MASKED_SCORE);
}

/** Extends a model's attention bias by the keys of a prefix. */
export function withPrefixBias({ bias, prefixBias }: AttentionOptions, prefix: number, path: string): Value {
  if (!bias) throw missing("graph", "a bias", path);
  if (prefix === 0) return bias;
  if (!prefixBias) throw unsupported("graph", path, "a prefix", "its key bias leaves no room for one");
  const front = prefixBias(firstPositions(bias.graph, prefix));
  const [batch = 1, heads = 1, queries = 1] = [1, ...front.shape].slice(-4);
  // The two parts must have the same shape except for the keys.
  const rest = bias.shape.length === 4 ? bias : f.reshape(bias, [1, ...bias.shape]);
  return f.concat([front, f.expand(rest, [batch, heads, queries, rest.shape[3] ?? 1])], 3);
}
