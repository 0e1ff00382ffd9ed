/** Means over rows. */
import { constant, div, expand, maximum, sum } from "../../core/graph/ops/functions.ts";
import { f32 } from "../../core/base/tensor.ts";
import type { Value } from "../../core/types.ts";

/** Returns the mean of a vector whose length is only known at run time. */
export function meanOf(x: Value): Value {
  const ones = expand(constant(x, f32([], [1])), x.shape);
  return div(sum(x), maximum(sum(ones), 1));
}
