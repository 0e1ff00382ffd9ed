/**
 * AdamW with state in 8 bits.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, FlatParameter } from "../../core/types.ts";
import {
  adamEntries,
  type AdamOptions,
  commonEntries,
  decayOf,
  idleDecoupled,
  sizeOf,
  withCommon,
} from "../../blocks/optimizer/mod.ts";

/** Options of {@link adamw8bit}. */
export interface Adamw8bitOptions extends AdamOptions {
  /** Values that share one scale. */
  readonly blockSize: number;
  /** Smaller tensors keep their state in 32 bits. */
  readonly min8bitSize: number;
}

/**
 * AdamW with 8-bit state (Dettmers et al. 2022): blocks are stored relative to their largest value, with dynamic tree
 * quantization (Dettmers 2016). A step computes with the exact means and stores them rounded.
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
  schema: v.strictObject({
    ...adamEntries(),
    blockSize: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 256),
    min8bitSize: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 4096),
    ...commonEntries(),
  }),
  create: (options: Adamw8bitOptions) => {
    const { beta1, beta2, epsilon, blockSize, min8bitSize } = options;
    return withCommon(options, {
      elementwise: false,
      // Four bytes share a float32 slot.
      state: (shape) => {
        const size = sizeOf(shape);
        const blocks = Math.ceil(size / blockSize);
        const bytes = Math.ceil(size / 4);
        return size < min8bitSize
          ? { m: size, v: size, m8: 0, v8: 0, mScale: 0, vScale: 0 }
          : { m: 0, v: 0, m8: bytes, v8: bytes, mScale: blocks, vScale: blocks };
      },
      update: (span, update, kernels) => {
        const quantized = span as FlatParameter<"m" | "v" | "m8" | "v8" | "mScale" | "vScale">;
        const { parameter, gradient, state } = quantized;
        const weightDecay = decayOf(update, options);
        if (state.m.length > 0) {
          kernels.adamw(quantized, { ...update, beta1, beta2, epsilon, weightDecay });
          return;
        }
        const [m8, v8] = [bytesOf(state.m8), bytesOf(state.v8)];
        const keep = 1 - update.learningRate * weightDecay;
        const size = update.learningRate / (1 - beta1 ** update.step);
        const root = Math.sqrt(1 - beta2 ** update.step);
        const [m, v] = [new Float32Array(blockSize), new Float32Array(blockSize)];
        for (let start = 0, block = 0; start < parameter.length; start += blockSize, block++) {
          const count = Math.min(blockSize, parameter.length - start);
          const [mScale, vScale] = [state.mScale[block] ?? 0, state.vScale[block] ?? 0];
          for (let k = 0; k < count; k++) {
            const i = start + k;
            const g = (gradient[i] ?? 0) * update.gradientScale;
            const mean = m[k] = beta1 * (signed.values[m8[i] ?? 0] ?? 0) * mScale + (1 - beta1) * g;
            const square = v[k] = beta2 * (unsigned.values[v8[i] ?? 0] ?? 0) * vScale + (1 - beta2) * g * g;
            parameter[i] = (parameter[i] ?? 0) * keep - size * mean / (Math.sqrt(square) / root + epsilon);
          }
          state.mScale[block] = store(m, count, signed, m8, start);
          state.vScale[block] = store(v, count, unsigned, v8, start);
        }
      },
      decayWithoutGradient: idleDecoupled(options),
    });
  },
});

/** Returns the 256 numbers of a byte, ascending: 0, 1, and seven powers of ten with ever finer fractions. */
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

/** The numbers of all bytes, the boundaries between them, and the least byte for each upper half of a float's bits. */
type Map8 = Readonly<{ values: Float32Array; edges: Float64Array; least: Uint8Array }>;

function tableOf(values: Float32Array): Map8 {
  const edges = Float64Array.from({ length: 255 }, (_, i) => ((values[i] ?? 0) + (values[i + 1] ?? 0)) / 2);
  const floats = new Float32Array(1);
  const bits = new Uint32Array(floats.buffer);
  const below = (pattern: number): number => {
    bits[0] = pattern;
    let [low, high] = [0, 255];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((edges[middle] ?? 0) < (floats[0] ?? 0)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const least = new Uint8Array(2 ** 16);
  for (let i = 0; i < least.length; i++) least[i] = Math.min(below(i * 65536), below(i * 65536 + 65535));
  return { values, edges, least };
}

const signed = tableOf(dynamicMap(true));
const unsigned = tableOf(dynamicMap(false));

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Rounds the values of a block to the nearest bytes, and returns their scale. */
function store(values: Float32Array, count: number, { edges, least }: Map8, to: Uint8Array, start: number): number {
  let scale = 0;
  for (let k = 0; k < count; k++) scale = Math.max(scale, Math.abs(values[k] ?? 0));
  const bits = new Uint16Array(values.buffer);
  for (let k = 0; k < count; k++) {
    const value = values[k] = scale > 0 ? (values[k] ?? 0) / scale : 0;
    let code = least[bits[2 * k + 1] ?? 0] ?? 0;
    while (code < 255 && (edges[code] ?? 0) < value) code++;
    to[start + k] = code;
  }
  return scale;
}
