/**
 * AdamW with state in 8 bits.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import type { Factory, Span } from "../../core/types.ts";
import type { AdamwOptions } from "./adamw.ts";
import { commonEntries, decayOf, idleDecoupled, notNegative, rate, sizeOf, withCommon } from "./common.ts";

/** Options of {@link adamw8bit}. */
export interface Adamw8bitOptions extends AdamwOptions {
  /** Values that share one scale. */
  readonly blockSize: number;
  /** Smaller tensors keep their state in 32 bits. */
  readonly min8bitSize: number;
}

/** Schema of {@link Adamw8bitOptions}. */
export const adamw8bitSchema: v.GenericSchema<Partial<Adamw8bitOptions>, Adamw8bitOptions> = v.strictObject({
  beta1: v.optional(rate, 0.9),
  beta2: v.optional(rate, 0.999),
  epsilon: v.optional(notNegative, 1e-8),
  blockSize: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 256),
  min8bitSize: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 4096),
  ...commonEntries(),
});

/**
 * AdamW whose means take a byte each and not four (Dettmers et al. 2022): blocks are held relative to their largest value,
 * in numbers whose distance grows with their size (dynamic tree quantization, Dettmers 2016). A step computes with the
 * exact means and stores them rounded.
 *
 * @example
 * ```ts
 * import { adamw8bit } from "attune/optimizers/adamw-8bit";
 * const { m8, m } = adamw8bit().state([64, 256], "w");
 * console.assert(m8 === 4096 && m === 0);
 * ```
 */
export const adamw8bit: Factory<"optimizer", Partial<Adamw8bitOptions>> = define({
  kind: "optimizer",
  name: "adamw-8bit",
  schema: adamw8bitSchema,
  create: (options) => {
    const { beta1, beta2, epsilon, blockSize, min8bitSize } = options;
    return withCommon(options, {
      elementwise: false,
      // Bytes lie four in a slot.
      state: (shape) => {
        const size = sizeOf(shape);
        const blocks = Math.ceil(size / blockSize);
        const bytes = Math.ceil(size / 4);
        return size < min8bitSize
          ? { m: size, v: size, m8: 0, v8: 0, mScale: 0, vScale: 0 }
          : { m: 0, v: 0, m8: bytes, v8: bytes, mScale: blocks, vScale: blocks };
      },
      update: (span, update, kernels) => {
        const own = span as Span<"m" | "v" | "m8" | "v8" | "mScale" | "vScale">;
        const { parameter, gradient, state } = own;
        const weightDecay = decayOf(update, options);
        if (state.m.length > 0) {
          kernels.adamw(own, { ...update, beta1, beta2, epsilon, weightDecay });
          return;
        }
        const [m8, v8] = [bytesOf(state.m8), bytesOf(state.v8)];
        const keep = 1 - update.learningRate * weightDecay;
        const size = update.learningRate / (1 - beta1 ** update.step);
        const root = Math.sqrt(1 - beta2 ** update.step);
        const [m, v] = [new Float64Array(blockSize), new Float64Array(blockSize)];
        for (let start = 0, block = 0; start < parameter.length; start += blockSize, block++) {
          const count = Math.min(blockSize, parameter.length - start);
          const [mScale, vScale] = [state.mScale[block] ?? 0, state.vScale[block] ?? 0];
          for (let k = 0; k < count; k++) {
            const i = start + k;
            const g = (gradient[i] ?? 0) * update.gradientScale;
            const mean = m[k] = beta1 * (signed[m8[i] ?? 0] ?? 0) * mScale + (1 - beta1) * g;
            const square = v[k] = beta2 * (unsigned[v8[i] ?? 0] ?? 0) * vScale + (1 - beta2) * g * g;
            parameter[i] = (parameter[i] ?? 0) * keep - size * mean / (Math.sqrt(square) / root + epsilon);
          }
          state.mScale[block] = store(m, count, signed, m8, start);
          state.vScale[block] = store(v, count, unsigned, v8, start);
        }
      },
      idle: idleDecoupled(options),
    });
  },
});

/** The 256 numbers a byte can stand for, ascending: 0, 1, and seven powers of ten with ever finer fractions. */
function dynamicMap(isSigned: boolean): Float32Array {
  const values = [0, 1];
  for (let exponent = 0; exponent < 7; exponent++) {
    const count = 2 ** (isSigned ? exponent : exponent + 1);
    for (let k = 0; k < count; k++) {
      const middle = (0.1 + 0.9 * (k + 0.5) / count) * 10 ** (exponent - 6);
      values.push(middle);
      if (isSigned) values.push(-middle);
    }
  }
  return Float32Array.from(values).sort();
}

const signed = dynamicMap(true);
const unsigned = dynamicMap(false);

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Rounds values of a block to bytes and gives their scale. */
function store(values: Float64Array, count: number, map: Float32Array, to: Uint8Array, start: number): number {
  let largest = 0;
  for (let k = 0; k < count; k++) largest = Math.max(largest, Math.abs(values[k] ?? 0));
  const scale = Math.fround(largest);
  for (let k = 0; k < count; k++) to[start + k] = nearest(map, scale > 0 ? (values[k] ?? 0) / scale : 0);
  return scale;
}

/** Where in an ascending list the number nearest to a value is. */
function nearest(map: Float32Array, value: number): number {
  let low = 0;
  let high = map.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((map[middle] ?? 0) <= value) low = middle;
    else high = middle;
  }
  return value - (map[low] ?? 0) <= (map[high] ?? 0) - value ? low : high;
}
