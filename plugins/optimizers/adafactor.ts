/**
 * Adafactor.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, FlatParameter } from "../../core/types.ts";
import {
  commonEntries,
  type CommonOptions,
  decayOf,
  fraction,
  moveMean,
  nonNegative,
  sizeOf,
  withCommon,
} from "../../blocks/optimizer/mod.ts";

/** Options of {@link adafactor}. */
export interface AdafactorOptions extends CommonOptions {
  /** Two values: one is added to squared gradients, the other is the smallest scale of a parameter. */
  readonly eps: readonly [number, number];
  /** The largest root mean square of a step, before the learning rate. */
  readonly clipThreshold: number;
  /** The (negative) exponent of the step in the decay of squares. */
  readonly decayRate: number;
  /** Decay of the mean of steps; null: no such mean. */
  readonly beta1: number | null;
  /** Whether the rate is min(0.01, 1/√step) instead of the schedule's. */
  readonly relativeStep: boolean;
  /** Whether rates are relative to the root mean square of each parameter. */
  readonly scaleParameter: boolean;
  /** Whether the relative rate is min(10⁻⁶·step, 1/√step). */
  readonly warmupInit: boolean;
}

/**
 * Adafactor (Shazeer & Stern 2018) as transformers.optimization.Adafactor. Of a matrix's squared gradients only the
 * means of rows r and columns c are kept: u = g / √(r cᵀ / mean r), cut to a root mean square of `clipThreshold`, w ← w
 * - lr·λ·w - lr·u, where lr may be relative to the parameter's own size.
 *
 * @example
 * ```ts
 * import { adafactor } from "attune/optimizers/adafactor";
 * console.assert(JSON.stringify(adafactor().state([30, 20], "w")) === '{"row":30,"column":20,"square":0,"m":0}');
 * ```
 */
export const adafactor: Factory<"optimizer", Partial<AdafactorOptions>> = define({
  kind: "optimizer",
  name: "adafactor",
  schema: v.pipe(
    v.strictObject({
      eps: v.optional(v.tuple([nonNegative, nonNegative]), [1e-30, 1e-3]),
      clipThreshold: v.optional(v.pipe(v.number(), v.gtValue(0)), 1),
      decayRate: v.optional(v.pipe(v.number(), v.maxValue(0)), -0.8),
      beta1: v.optional(v.nullable(fraction), null),
      relativeStep: v.optional(v.boolean(), true),
      scaleParameter: v.optional(v.boolean(), true),
      warmupInit: v.optional(v.boolean(), false),
      ...commonEntries(),
    }),
    v.check((o) => !o.warmupInit || o.relativeStep, "warmupInit only with relativeStep"),
    v.check(
      (o) => !o.relativeStep || o.groups.every((g) => g.learningRate === undefined),
      "groups with lrScale, because relativeStep sets the rate",
    ),
  ),
  create: (options: AdafactorOptions) => {
    const { eps, clipThreshold, decayRate, beta1, relativeStep, scaleParameter, warmupInit } = options;
    return withCommon(options, {
      elementwise: false,
      state: (shape) => {
        const size = sizeOf(shape);
        const [rows, columns] = factors(shape);
        return { row: rows, column: columns, square: rows > 0 ? 0 : size, m: beta1 === null ? 0 : size };
      },
      learningRate: (step, scheduled) =>
        relativeStep ? Math.min(warmupInit ? 1e-6 * step : 1e-2, 1 / Math.sqrt(step)) : scheduled,
      update: (span, update) => {
        const { parameter: p, gradient, shape, state } = span as FlatParameter<"row" | "column" | "square" | "m">;
        const beta2 = 1 - update.step ** decayRate;
        const scale = scaleParameter ? Math.max(eps[1], rootMeanSquare(p)) : 1;
        const learningRate = update.learningRate * scale;
        const u = new Float64Array(gradient.length);
        for (let i = 0; i < u.length; i++) u[i] = (gradient[i] ?? 0) * update.gradientScale;
        if (state.row.length > 0) divideByFactors(u, shape, state.row, state.column, beta2, eps[0]);
        else {
          for (let i = 0; i < u.length; i++) {
            const g = u[i] ?? 0;
            const s = state.square[i] = beta2 * (state.square[i] ?? 0) + (1 - beta2) * (g * g + eps[0]);
            u[i] = g / Math.sqrt(s);
          }
        }
        const size = learningRate / Math.max(1, rootMeanSquare(u) / clipThreshold);
        const keep = 1 - learningRate * decayOf(update, options);
        for (let i = 0; i < u.length; i++) {
          let step = size * (u[i] ?? 0);
          if (beta1 !== null) step = moveMean(state.m, i, beta1, step);
          p[i] = (p[i] ?? 0) * keep - step;
        }
      },
    });
  },
});

/** Returns the numbers of rows and columns for which means are kept; zeros for tensors without matrices. */
function factors(shape: readonly number[]): readonly [number, number] {
  if (shape.length < 2) return [0, 0];
  const [rows = 1, columns = 1] = shape.slice(-2);
  const matrices = sizeOf(shape.slice(0, -2));
  return [matrices * rows, matrices * columns];
}

/** Updates r and c of each matrix, then u ← u / √(r cᵀ / mean r). */
function divideByFactors(
  u: Float64Array,
  shape: readonly number[],
  row: Float32Array,
  column: Float32Array,
  beta2: number,
  eps: number,
): void {
  const [rows = 1, columns = 1] = shape.slice(-2);
  for (let matrix = 0; matrix * rows * columns < u.length; matrix++) {
    const at = matrix * rows * columns;
    const columnSums = new Float64Array(columns);
    let total = 0;
    for (let i = 0; i < rows; i++) {
      let sum = 0;
      for (let j = 0; j < columns; j++) {
        const g = u[at + i * columns + j] ?? 0;
        const square = g * g + eps;
        sum += square;
        columnSums[j] = (columnSums[j] ?? 0) + square;
      }
      const k = matrix * rows + i;
      total += row[k] = beta2 * (row[k] ?? 0) + (1 - beta2) * sum / columns;
    }
    for (let j = 0; j < columns; j++) {
      const k = matrix * columns + j;
      column[k] = beta2 * (column[k] ?? 0) + (1 - beta2) * (columnSums[j] ?? 0) / rows;
    }
    const mean = total / rows;
    const ofColumn = new Float64Array(columns);
    for (let j = 0; j < columns; j++) ofColumn[j] = 1 / Math.sqrt(column[matrix * columns + j] ?? 0);
    for (let i = 0; i < rows; i++) {
      const ofRow = Math.sqrt(mean / (row[matrix * rows + i] ?? 0));
      const start = at + i * columns;
      for (let j = 0; j < columns; j++) u[start + j] = (u[start + j] ?? 0) * ofRow * (ofColumn[j] ?? 0);
    }
  }
}

function rootMeanSquare(x: Float32Array | Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i] ?? 0) * (x[i] ?? 0);
  return Math.sqrt(sum / x.length);
}
