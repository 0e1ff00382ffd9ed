/**
 * Muon.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { transposeMatrix } from "../../core/math/transpose.ts";
import type { Factory, FlatParameter } from "../../core/types.ts";
import {
  adamEntries,
  type AdamOptions,
  commonEntries,
  decayOf,
  fraction,
  has,
  moveMean,
  pattern,
  sizeOf,
  withCommon,
} from "../../blocks/optimizer/mod.ts";
import { classifierModules, spanModules, wordModules } from "../../formats/hf/head_modules.ts";

/** Options of {@link muon}. `beta1`, `beta2` and `epsilon` are those of AdamW, for what is not a hidden matrix. */
export interface MuonOptions extends AdamOptions {
  /** Decay of the mean of gradients. */
  readonly momentum: number;
  /** Whether to use Nesterov momentum. */
  readonly nesterov: boolean;
  /** Newton-Schulz iterations. */
  readonly nsSteps: number;
  /** The scale of a step: √max(1, rows/columns), or 0.2 √max(rows, columns), which suits learning rates for AdamW. */
  readonly adjustLrFn: "original" | "match_rms_adamw";
  /** A pattern for matrices that AdamW updates, too: embeddings and heads. */
  readonly adamwPattern: string;
}

/** Patterns for the names of embeddings and heads. */
const notHidden = ["embed", "wte", "wpe", "shared", ...wordModules, ...classifierModules, ...spanModules];

/** Coefficients of the iteration's polynomial (Jordan et al. 2024). */
const [A, B, C] = [3.4445, -4.775, 2.0315];

/**
 * Muon (Jordan et al. 2024) as torch.optim.Muon: a hidden matrix steps along the nearest half-orthogonal matrix to its
 * momentum, by five Newton-Schulz iterations X ← aX + (bXXᵀ + c(XXᵀ)²)X; everything else steps as with AdamW. The
 * iterations take about 10·r²·n multiplications twice for a matrix of r by n, r ≤ n: little for LoRA's, a lot for
 * whole ones.
 *
 * @example
 * ```ts
 * import { muon } from "attune/optimizers/muon";
 * console.assert(JSON.stringify(muon().state([4, 8], "layer.0.dense.weight")) === '{"momentum":32,"m":0,"v":0}');
 * ```
 */
export const muon: Factory<"optimizer", Partial<MuonOptions>> = define({
  kind: "optimizer",
  name: "muon",
  schema: v.strictObject({
    momentum: v.optional(fraction, 0.95),
    nesterov: v.optional(v.boolean(), true),
    nsSteps: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(20)), 5),
    adjustLrFn: v.optional(v.picklist(["original", "match_rms_adamw"]), "original"),
    adamwPattern: v.optional(pattern, notHidden.join("|")),
    ...adamEntries(),
    ...commonEntries(0.1),
  }),
  create: (options: MuonOptions) => {
    const { momentum, nesterov, nsSteps, adjustLrFn, beta1, beta2, epsilon } = options;
    const others = has(options.adamwPattern);
    const isHidden = (shape: readonly number[], name: string): boolean => shape.length === 2 && !others(name);
    return withCommon(options, {
      elementwise: false,
      state: (shape, name) => {
        const size = sizeOf(shape);
        return isHidden(shape, name) ? { momentum: size, m: 0, v: 0 } : { momentum: 0, m: size, v: size };
      },
      update: (span, update, kernels) => {
        const weightDecay = decayOf(update, options);
        if (!isHidden(span.shape, span.name)) {
          kernels.adamw(span as FlatParameter<"m" | "v">, { ...update, beta1, beta2, epsilon, weightDecay });
          return;
        }
        const { parameter, gradient, shape, state } = span as FlatParameter<"momentum">;
        const [rows = 1, columns = 1] = shape;
        const direction = new Float64Array(parameter.length);
        for (let i = 0; i < direction.length; i++) {
          const g = (gradient[i] ?? 0) * update.gradientScale;
          const m = moveMean(state.momentum, i, momentum, g);
          direction[i] = nesterov ? (1 - momentum) * g + momentum * m : m;
        }
        const u = orthogonal(direction, rows, columns, nsSteps);
        const scale = adjustLrFn === "original"
          ? Math.sqrt(Math.max(1, rows / columns))
          : 0.2 * Math.sqrt(Math.max(rows, columns));
        const keep = 1 - update.learningRate * weightDecay;
        const size = update.learningRate * scale;
        for (let i = 0; i < u.length; i++) parameter[i] = (parameter[i] ?? 0) * keep - size * (u[i] ?? 0);
      },
    });
  },
});

/** Applies the iterations to a matrix with at most as many rows as columns; others are transposed before and after. */
function orthogonal(x: Float64Array, rows: number, columns: number, steps: number): Float64Array {
  if (rows > columns) {
    return transposeMatrix(orthogonal(transposeMatrix(x, rows, columns), columns, rows, steps), columns, rows);
  }
  const length = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
  let u = x.map((value) => value / Math.max(length, 1e-7));
  for (let k = 0; k < steps; k++) {
    const gram = new Float64Array(rows * rows);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let c = 0; c < columns; c++) sum += (u[i * columns + c] ?? 0) * (u[j * columns + c] ?? 0);
        gram[i * rows + j] = gram[j * rows + i] = sum;
      }
    }
    const factor = product(gram, gram, rows, rows).map((value, i) =>
      B * (gram[i] ?? 0) + C * value + (i % (rows + 1) === 0 ? A : 0)
    );
    u = product(factor, u, rows, columns);
  }
  return u;
}

/** Multiplies a square matrix by another matrix. */
function product(a: Float64Array, b: Float64Array, rows: number, columns: number): Float64Array<ArrayBuffer> {
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < rows; k++) {
      const factor = a[i * rows + k] ?? 0;
      for (let c = 0; c < columns; c++) {
        out[i * columns + c] = (out[i * columns + c] ?? 0) + factor * (b[k * columns + c] ?? 0);
      }
    }
  }
  return out;
}
