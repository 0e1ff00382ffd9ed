/** Norms as parts of a model. */
import { add, layerNorm as normalized, rmsNorm as scaled } from "../../core/graph/ops/functions.ts";
import type { GraphBuilder, Value } from "../../core/types.ts";

/** Matches the norms that GPT-2 and Falcon call `ln_1`, `ln_f`, `ln_attn`, whose parameters have no weight decay. */
export const layerNorms: RegExp = /(?:^|\.)ln_[^.]+(?:$|\.)/;

/** Applies a norm of width `size` whose parameters are under `path`. */
export type Norm = (b: GraphBuilder, path: string, x: Value, size: number) => Value;

/** Returns (x - mean) / √(variance + ε) · weight + bias (Ba et al. 2016), the bias being optional. */
export function layerNorm(epsilon: number, hasBias = true): Norm {
  return (b, path, x, size) => {
    const weight = b.parameter(`${path}.weight`, [size], "ones");
    const bias = hasBias
      ? b.parameter(`${path}.bias`, [size], "zeros")
      : b.graph.constant({ dtype: "float32", dims: [size], data: new Float32Array(size) });
    return b.graph.within(path, () => normalized(x, weight, bias, epsilon));
  };
}

/**
 * Returns x / √(mean x² + ε) · weight (Zhang & Sennrich 2019). `offset` is subtracted from stored weights: 1 for Gemma.
 */
export function rmsNorm(epsilon: number, offset = 0): Norm {
  return (b, path, x, size) => {
    const weight = b.parameter(`${path}.weight`, [size], offset === 0 ? "ones" : "zeros");
    return b.graph.within(path, () => scaled(x, offset === 0 ? weight : add(weight, offset), epsilon));
  };
}
