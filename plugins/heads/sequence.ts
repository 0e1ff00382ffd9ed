/**
 * The sequence classification head: one place of each sequence, through the family's own layers, to logits.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import { unsupported } from "../../core/errors.ts";
import { constant, layerNorm, matmul, mul } from "../../core/graph/functions.ts";
import { activation } from "../../core/graph/activations.ts";
import { most } from "../../core/most.ts";
import type { Factory, GraphBuilder, HeadSpec, Value } from "../../core/types.ts";
import { pooledStates } from "./pooling.ts";
import { classifierModules } from "../../formats/hf/head_modules.ts";

/** Options of {@link sequence}. */
export interface SequenceOptions {
  /** Number of outputs: classes, labels, or 1 for a regression. */
  readonly numLabels: number;
  /** Which of the layer's outputs each of them is, where a checkpoint has its classes in another order. */
  readonly order?: readonly number[] | undefined;
}

/** Schema of {@link SequenceOptions}. */
export const sequenceSchema: v.GenericSchema<SequenceOptions, SequenceOptions> = v.strictObject({
  numLabels: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.labels)),
  order: v.optional(v.array(v.pipe(v.number(), v.integer(), v.minValue(0)))),
});

/**
 * Logits [sequences, numLabels] as the family's ForSequenceClassification computes them.
 *
 * @example
 * ```ts
 * import { sequence } from "attune/heads/sequence";
 * console.assert(sequence({ numLabels: 2 }).modulesToSave.includes("classifier"));
 * ```
 */
export const sequence: Factory<"head", SequenceOptions> = define({
  kind: "head",
  name: "sequence",
  schema: sequenceSchema,
  create: ({ numLabels, order }) => ({
    modulesToSave: classifierModules,
    forward: (b, states, backbone) => {
      const style = backbone.heads.sequence;
      if (!style) throw unsupported("sequence", "task", backbone.baseModelPrefix, "this family has no sequence head");
      const pooled = pooledStates(b, states.hidden, style.pool, states.encoder ? "decoder" : "input");
      const x = applyStyle(b, style, pooled);
      const logits = b.linear(style.out, x, { outFeatures: numLabels, bias: style.bias ?? true });
      return { logits: order ? reorderClasses(logits, order) : logits };
    },
  }),
});

/** Columns in another order, by a product with zeros and ones. */
export function reorderClasses(x: Value, order: readonly number[]): Value {
  const size = order.length;
  const places = new Float32Array(size * size);
  order.forEach((from, to) => (places[from * size + to] = 1));
  return matmul(x, constant(x, { dtype: "float32", dims: [size, size], data: places }));
}

/** The steps of a style up to, and without, its last layer. */
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
