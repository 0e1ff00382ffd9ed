/** The layers of a head, as described by a family. */
import * as v from "valibot";
import { unsupported } from "../../core/base/errors.ts";
import { most } from "../../core/base/most.ts";
import { activation } from "../../core/graph/activations.ts";
import { constant, layerNorm, matmul, mul } from "../../core/graph/ops/functions.ts";
import type { GraphBuilder, HeadSpec, InspectedBackbone, Value } from "../../core/types.ts";

/** Options of classifier heads. */
export interface ClassifierOptions {
  /** Number of outputs. */
  readonly numLabels: number;
  /** The order of the layer's outputs, if a checkpoint has its classes in another order. */
  readonly order?: readonly number[] | undefined;
}

/** Schema entries of {@link ClassifierOptions}. */
export const classifierEntries: Readonly<{
  numLabels: v.GenericSchema<number>;
  order: v.OptionalSchema<v.GenericSchema<readonly number[]>, undefined>;
}> = {
  numLabels: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.labels)),
  order: v.optional(v.array(v.pipe(v.number(), v.integer(), v.minValue(0)))),
};

/** Returns a family's description of a head. Throws AttuneError (unsupported, with `why`) if there is no such head. */
export function styleOf({ heads, family }: InspectedBackbone, name: string, plugin: string, why: string): HeadSpec {
  const style = heads[name];
  if (!style) throw unsupported(plugin, "task", family.modelType, why);
  return style;
}

/** Returns the logits of a head's last layer, with the classes in the requested order. */
export function classLogits(
  b: GraphBuilder,
  style: HeadSpec,
  x: Value,
  { numLabels, order }: ClassifierOptions,
): Value {
  const logits = b.linear(style.out, x, { outFeatures: numLabels, bias: style.bias ?? true });
  return order ? reorderClasses(logits, order) : logits;
}

/** Reorders columns, by a product with a permutation matrix. */
function reorderClasses(x: Value, order: readonly number[]): Value {
  const size = order.length;
  const places = new Float32Array(size * size);
  order.forEach((from, to) => (places[from * size + to] = 1));
  return matmul(x, constant(x, { dtype: "float32", dims: [size, size], data: places }));
}

/** Applies the steps of a head up to its last layer, which is not included. */
export function applyStyle(b: GraphBuilder, style: HeadSpec, x: Value): Value {
  for (const step of style.steps) {
    if ("dense" in step) {
      const size = step.outFeatures ?? x.shape.at(-1);
      const { bias } = step;
      x = b.linear(step.dense, x, { outFeatures: typeof size === "number" ? size : 0, bias });
    } else if ("activation" in step) x = activation("head", "head.activation", step.activation)(x);
    else if ("dropout" in step) x = b.dropout(x, step.dropout);
    else if ("scale" in step) x = mul(x, step.scale);
    else x = normed(b, step, x);
  }
  return x;
}

function normed(
  b: GraphBuilder,
  { norm, epsilon, bias }: Readonly<{ norm: string; epsilon: number; bias?: boolean }>,
  x: Value,
): Value {
  const size = Number(x.shape.at(-1));
  const weight = b.parameter(`${norm}.weight`, [size], "ones");
  const zeros = (): Value => b.graph.constant({ dtype: "float32", dims: [size], data: new Float32Array(size) });
  return layerNorm(x, weight, bias === false ? zeros() : b.parameter(`${norm}.bias`, [size], "zeros"), epsilon);
}
