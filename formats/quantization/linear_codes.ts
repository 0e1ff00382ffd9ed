/** Linearly quantized weights of linear layers, as GPTQ, AWQ, compressed-tensors and HQQ store them. */
import type { MatrixDims } from "../../core/types.ts";

/** A quantized weight: value[o, i] = scales[o, g] (codes[o, i] - zeros[o, g]), g = groups[i]. */
export type LinearCodes = Readonly<{
  bits: number;
  /** [out, in], one a byte. */
  codes: Uint8Array;
  /** [out, number of groups]; zero points need not be whole. */
  scales: Float32Array;
  zeros: Float32Array;
  /** The group of each input. */
  groups: Int32Array;
}>;

/** Decodes the values [out, in]. */
export function decodeLinear(
  { codes, scales, zeros, groups }: LinearCodes,
  [outputs, inputs]: MatrixDims,
): Float32Array {
  const values = new Float32Array(outputs * inputs);
  const count = scales.length / outputs;
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      const [at, g] = [o * inputs + i, o * count + (groups[i] as number)];
      values[at] = (scales[g] as number) * Math.fround((codes[at] as number) - (zeros[g] as number));
    }
  }
  return values;
}

/** Returns the group of each input, for groups of `groupSize` consecutive inputs. */
export function evenGroups(inputs: number, groupSize: number): Int32Array {
  return Int32Array.from({ length: inputs }, (_, i) => Math.floor(i / groupSize));
}
