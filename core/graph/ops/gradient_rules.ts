/**
 * Helpers for gradient rules.
 *
 * The formulas minimize passes over memory rather than operations, because memory limits their speed on a CPU.
 */
import { AttuneError } from "../../base/errors.ts";
import { apply, asMatrix, columnSums, reshape } from "./functions.ts";
import type { Applied, Gradient } from "./record.ts";
import type { Op } from "./ops.ts";
import type { Node, Value } from "./value.ts";

type InputGradient<O extends Op> = (node: Applied<O>, dy: Value) => Value | undefined;

/** Combines one rule per input; an input without a rule has no gradient. */
export const perInput =
  <O extends Op>(...rules: readonly (InputGradient<O> | undefined)[]): Gradient<O> => (node, dy, i) =>
    rules[i]?.(node, dy);

/** Combines one rule per input, whose results are summed over the axes that broadcasting repeated. */
export const broadcast =
  <O extends Op>(...rules: readonly (InputGradient<O> | undefined)[]): Gradient<O> => (node, dy, i) => {
    const d = rules[i]?.(node, dy);
    return d && unbroadcast(d, node.node.inputs[i] as Value);
  };

/** Sums a gradient over the axes that broadcasting repeated, so that it has the shape of `value`. */
export function unbroadcast(dy: Value, { shape }: Value): Value {
  const extra = dy.shape.length - shape.length;
  const axes = dy.shape.flatMap((dim, i) => {
    const before = i < extra ? undefined : shape[i - extra];
    return before === undefined || (before === 1 && dim !== 1) ? [i] : [];
  });
  if (axes.length === 0) return dy;
  // If only leading axes are summed, as for a bias, one matrix product does it.
  const leading = axes.every((axis, i) => axis === i) && axes.length === dy.shape.length - 1;
  if (leading) return reshape(columnSums(asMatrix(dy)), shape);
  return reshape(apply("ReduceSum", [dy], { axes, keepdims: 1 }), shape);
}

/** Returns the error for an op without a gradient rule. */
export function noGradient(node: Node, why: string): AttuneError {
  return new AttuneError(`No gradient of ${node.op} (in ${node.scope || "the graph"}): ${why}`, {
    code: "NO_GRADIENT",
    plugin: "graph",
    found: node.op,
  });
}
