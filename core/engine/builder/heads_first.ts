/**
 * Attention's two axis orders: places before heads, as in layers, and heads before places, as in matrix products.
 */
import * as f from "../../graph/ops/functions.ts";
import type { Node, Value } from "../../graph/graph.ts";

const HEADS_FIRST: readonly number[] = [0, 2, 1, 3];

/** Transposes [batch, seq, heads, headDim] to [batch, heads, seq, headDim] or back; a second swap undoes the first. */
export function swapHeadsAndPlaces(x: Value): Value {
  const producer = x.graph.producer(x);
  const isSwapped = producer?.op === "Transpose" &&
    `${(producer as Node<"Transpose">).attrs.perm}` === `${HEADS_FIRST}`;
  return (isSwapped && producer?.inputs[0]) || f.transpose(x, HEADS_FIRST);
}
