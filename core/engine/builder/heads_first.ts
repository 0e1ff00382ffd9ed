/**
 * Attention's two orders of axes: places before heads, as layers have them, and heads before places, as products do.
 */
import * as f from "../../graph/ops/functions.ts";
import type { Node, Value } from "../../graph/graph.ts";

const HEADS_FIRST: readonly number[] = [0, 2, 1, 3];

/** [batch, seq, heads, headDim] as [batch, heads, seq, headDim], and back; there and back again is where it was. */
export function swapHeadsAndPlaces(x: Value): Value {
  const producer = x.graph.producer(x);
  const isSwapped = producer?.op === "Transpose" &&
    `${(producer as Node<"Transpose">).attrs.perm}` === `${HEADS_FIRST}`;
  return (isSwapped && producer?.inputs[0]) || f.transpose(x, HEADS_FIRST);
}
