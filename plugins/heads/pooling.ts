/**
 * One state per sequence.
 * @module
 */
import { cast, div, equal, gather, matmul, reshape, sqrt, square, sum } from "../../core/graph/functions.ts";
import type { Build, HeadStyle, Side, Value } from "../../core/types.ts";

/** The state of each sequence's first or last token, or the mean of all [sequences, hidden]. */
export function pooledStates(b: Build, hidden: Value, pool: HeadStyle["pool"], side: Side = "input"): Value {
  const { first, last } = b.stream(side);
  if (pool === undefined) return hidden;
  return pool === "mean" ? means(b, hidden, side) : b.rows(hidden, pool === "first" ? first : last);
}

/** Rows with length 1. */
export function unitLength(x: Value): Value {
  return div(x, sqrt(sum(square(x), 1, true)));
}

/** A product with a matrix of which place belongs to which sequence. */
function means(b: Build, hidden: Value, side: Side): Value {
  const { sequence, first } = b.stream(side);
  const places = hidden.shape[0] ?? 1;
  const flat = reshape(sequence, [places]);
  const own = reshape(gather(flat, first), ["sequences", 1]);
  const belongs = cast(equal(own, reshape(flat, [1, places])), "float32"); // [sequences, batch*seq]
  return div(matmul(belongs, hidden), sum(belongs, 1, true));
}
