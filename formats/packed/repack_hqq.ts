/**
 * Repacking of weights in HQQ's layout, as its quantizer does it: by the range of each group, and by the half-quadratic
 * solver of zero points if a weight was made with it.
 */
import { fromFloat32 } from "../../core/files/safetensors.ts";
import type { Named } from "../../core/types.ts";
import { roundToEven } from "../quantization/round_to_even.ts";
import type { Repack } from "./packed_weight.ts";
import type { StoredTensors } from "./stored_tensors.ts";

/** How a weight is grouped and packed: groups are rows or columns of [rows, columns]; a number stores `each` codes. */
export type HqqGroups = Readonly<{
  bits: number;
  by: "rows" | "columns";
  rows: number;
  columns: number;
  each: number;
  bytes: 1 | 4;
  optimize: boolean;
  roundZero: boolean;
}>;

/** Values with the scale and zero point of each group: code = scale · value + zero. */
type Grouped = Readonly<
  { values: Float32Array; scales: Float32Array; zeros: Float32Array; groupOf(i: number): number }
>;

const { fround } = Math;

/** Repacks HQQ weights of any number of bits; scales and zero points keep the dtype in which they are stored. */
export function repackHqq(tensors: StoredTensors, module: string, groups: HqqGroups): Repack {
  return {
    pack: (values) => {
      const top = 2 ** groups.bits - 1;
      const ranges = rangesOf(values, groups, top);
      const grouped = groups.optimize ? solved(ranges, top) : ranges;
      const { scales, zeros, groupOf } = grouped;
      const codes = Uint8Array.from(values, (x, i) => codeOf(x, scales[groupOf(i)] ?? 0, zeros[groupOf(i)] ?? 0, top));
      const stored = (part: string, data: Float32Array): Named<Uint8Array> => {
        const name = `${module}.${part}`;
        return { [name]: fromFloat32(data, tensors.form(name)?.dtype ?? "float32") };
      };
      return Promise.resolve({
        [`${module}.W_q`]: packed(codes, groups),
        ...stored("scale", scales.map((scale) => 1 / scale)),
        ...stored("zero", zeros),
      });
    },
  };
}

function rangesOf(values: Float32Array, { by, rows, columns, roundZero }: HqqGroups, top: number): Grouped {
  const count = by === "rows" ? rows : columns;
  const groupOf = (i: number): number => by === "rows" ? Math.floor(i / columns) : i % columns;
  const [least, most] = [new Float32Array(count).fill(Infinity), new Float32Array(count).fill(-Infinity)];
  values.forEach((x, i) => {
    const g = groupOf(i);
    least[g] = Math.min(least[g] as number, x);
    most[g] = Math.max(most[g] as number, x);
  });
  const scales = most.map((high, g) => {
    const range = fround(high - (least[g] as number));
    // torch divides a number by a tensor as the number times the tensor's reciprocal. The library's bounds: ranges that
    // are almost zero get scale 1, and scales stay within half precision.
    return range <= fround(1e-4) ? 1 : Math.min(2e4, fround(fround(1 / range) * top));
  });
  const zeros = least.map((low, g) => {
    const zero = fround(-low * (scales[g] as number));
    return roundZero ? roundToEven(zero) : zero;
  });
  return { values, scales, zeros, groupOf };
}

function codeOf(x: number, scale: number, zero: number, top: number): number {
  return Math.min(top, Math.max(0, roundToEven(fround(fround(x * scale) + zero))));
}

const ROUNDS = 20;
const SHARE = fround(1 / 10);
const POWER = 0.7 - 1;

/** Optimizes zero points for sparse errors; stops when the mean error no longer falls. */
function solved(start: Grouped, top: number): Grouped {
  const { values, scales, groupOf } = start;
  const sizes = new Float64Array(scales.length);
  for (let i = 0; i < values.length; i++) sizes[groupOf(i)] = (sizes[groupOf(i)] as number) + 1;
  let zeros = start.zeros;
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const sums = new Float64Array(scales.length);
    let error = 0;
    for (let i = 0; i < values.length; i++) {
      const g = groupOf(i);
      const [x, scale, zero] = [values[i] as number, scales[g] as number, zeros[g] as number];
      const code = codeOf(x, scale, zero, top);
      const lost = fround(x - fround(fround(code - zero) / scale));
      error += Math.abs(lost);
      sums[g] = (sums[g] as number) + fround(code - fround(fround(x - shrunk(lost)) * scale));
    }
    zeros = Float32Array.from(sums, (sum, g) => sum / (sizes[g] as number));
    const mean = fround(error / values.length);
    if (mean >= best) break;
    best = mean;
  }
  return { ...start, zeros };
}

/** Applies a generalized soft threshold. */
function shrunk(x: number): number {
  const size = Math.abs(x);
  if (size === 0) return 0;
  return Math.sign(x) * Math.max(0, fround(size - fround(SHARE * fround(size ** POWER))));
}

/** Packs codes [rows, columns]; the first rows are in the highest bits. */
function packed(codes: Uint8Array, { bits, rows, columns, each, bytes }: HqqGroups): Uint8Array {
  const step = Math.ceil(rows / each);
  const words = bytes === 1 ? new Uint8Array(step * columns) : new Int32Array(step * columns);
  codes.forEach((code, i) => {
    const row = Math.floor(i / columns);
    const at = (row % step) * columns + i % columns;
    words[at] = (words[at] as number) | (code << (bits * (each - 1 - Math.floor(row / step))));
  });
  return new Uint8Array(words.buffer);
}
