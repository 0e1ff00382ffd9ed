/**
 * Weights as 8-bit integers: a quarter of the bytes on disk, decoded to float32 before any computation.
 *
 * A tensor `x` [rows, ...] is stored as `x` int8 and `x.scale` float32 [rows]; x[r] = scale[r] · q[r], exactly.
 */
import { badFile, show } from "../base/errors.ts";
import { sizeOf, type Tensor } from "../base/tensor.ts";
import type { QuantizedTensor } from "../types.ts";

export type { QuantizedTensor } from "../types.ts";

/** The largest magnitude of a stored integer: -128 is left out, so that negation stays exact. */
const LARGEST = 127;

/** Returns the name under which the scales of a tensor are stored. */
export function scaleName(name: string): string {
  return `${name}.scale`;
}

/**
 * Quantizes a tensor to the nearest integers, with one scale per row: its largest magnitude divided by 127.
 *
 * @example
 * ```ts
 * import { dequantizeInt8, f32, quantizeInt8 } from "attune";
 * const { values, scale } = quantizeInt8(f32([1, 2], [127, -64]));
 * console.assert(dequantizeInt8(values, scale).data[1] === -64);
 * ```
 */
export function quantizeInt8({ dims, data }: Tensor<Float32Array>): QuantizedTensor {
  const rows = dims[0] ?? 1;
  const width = sizeOf(dims.slice(1));
  const values = new Int8Array(data.length);
  const scales = new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    const [start, end] = [r * width, (r + 1) * width];
    let most = 0;
    for (let i = start; i < end; i++) most = Math.max(most, Math.abs(data[i] as number));
    const scale = Math.fround(most / LARGEST);
    scales[r] = scale;
    if (scale === 0) continue;
    // If the scale was rounded down, the row's largest value may round to 128.
    for (let i = start; i < end; i++) values[i] = clamp(Math.round((data[i] as number) / scale));
  }
  return {
    values: { dtype: "int8", dims, data: values },
    scale: { dtype: "float32", dims: [rows], data: scales },
  };
}

/** Combines integers and scales read from a file. Throws AttuneError unless there is one scale per row. */
export function quantizedTensor(values: Tensor, scale: Tensor, name = "x"): QuantizedTensor {
  const rows = values.dims[0] ?? 1;
  if (!(values.data instanceof Int8Array) || !(scale.data instanceof Float32Array) || scale.dims.join() !== `${rows}`) {
    throw badFile("safetensors", scaleName(name), `has dims ${show(scale.dims)} where [${rows}] was expected`);
  }
  return { values: { ...values, data: values.data }, scale: { ...scale, data: scale.data } };
}

/** Multiplies stored integers [rows, ...] by their rows' scales. Throws AttuneError unless there is one per row. */
export function dequantizeInt8(stored: Tensor, scales: Tensor, name = "x"): Tensor<Float32Array> {
  const { values: { dims, data }, scale } = quantizedTensor(stored, scales, name);
  const rows = dims[0] ?? 1;
  const width = sizeOf(dims.slice(1));
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) {
    const factor = Number(scale.data[r]);
    for (let i = r * width; i < (r + 1) * width; i++) out[i] = factor * (data[i] ?? 0);
  }
  return { dtype: "float32", dims, data: out };
}

function clamp(x: number): number {
  return Math.max(-LARGEST, Math.min(LARGEST, x));
}
