/** Linear quantization of weights to 4 bits. */
import type { MatrixDims, Named, Tensor } from "../../core/types.ts";
import { dequantizeAbsmax, quantizeAbsmax } from "./bitsandbytes.ts";
import { keepsNested, type LinearBlocks, zeroBytes } from "./linear_blocks.ts";

const tensor = (dtype: Tensor["dtype"], dims: readonly number[], data: Tensor["data"]): Tensor => ({
  dtype,
  dims,
  data,
});

/** Quantizes a weight [out, in] to the tensors of `linearBlocks`; its values must be finite. */
export function encodeLinear(
  values: Float32Array,
  [outputs, inputs]: MatrixDims,
  options: LinearBlocks,
): Named<Tensor> {
  const { blockSize, hasZeros, useDoubleQuant = false } = options;
  const symmetric = !hasZeros;
  const blocks = Math.ceil(inputs / blockSize);
  const count = outputs * blocks;
  const startOf = (b: number): number => Math.floor(b / blocks) * inputs + (b % blocks) * blockSize;
  const endOf = (b: number): number => Math.min(startOf(b) + blockSize, (Math.floor(b / blocks) + 1) * inputs);
  const [normal, least] = [new Float32Array(count), new Float32Array(count)];
  for (let b = 0; b < count; b++) {
    const range = rangeOf(values, startOf(b), endOf(b));
    least[b] = range.least;
    normal[b] = scaleOf(range, symmetric, useDoubleQuant);
  }
  const nested = useDoubleQuant ? quantizeAbsmax(normal) : undefined;
  const scales = nested ? dequantizeAbsmax(nested) : normal;
  const codes = new Uint8Array(count * blockSize / 2);
  const zeros = new Uint8Array(outputs * zeroBytes(inputs, options));
  for (let b = 0; b < count; b++) {
    const scale = scales[b] as number;
    const zero = symmetric ? 8 : zeroOf(least[b] as number, scale);
    const [start, end] = [startOf(b), endOf(b)];
    const codeAt = (i: number): number => {
      const x = i < end ? values[i] as number : 0;
      const code = (scale === 0 ? 0 : Math.round(x / scale)) + zero;
      return code < 0 ? 0 : code > 15 ? 15 : code;
    };
    for (let i = 0; i < blockSize; i += 2) {
      codes[(b * blockSize + i) / 2] = codeAt(start + i) | (codeAt(start + i + 1) << 4);
    }
    const at = Math.floor(b / blocks) * zeroBytes(inputs, options) + ((b % blocks) >> 1);
    zeros[at] = (zeros[at] as number) | (zero << (b % blocks % 2 === 0 ? 0 : 4));
  }
  return {
    codes: tensor("uint8", [outputs, blocks, blockSize / 2], codes),
    ...(nested && keepsNested(options)
      ? {
        scaleCodes: tensor("uint8", [count], nested.codes),
        nestedScales: tensor("float32", [nested.nestedAbsmax.length], nested.nestedAbsmax),
        offset: tensor("float32", [1], Float32Array.of(nested.offset)),
      }
      : { scales: tensor("float32", [count], scales) }),
    ...(symmetric ? {} : { zeros: tensor("uint8", [outputs, zeroBytes(inputs, options)], zeros) }),
  };
}

type Range = Readonly<{ least: number; most: number }>;

/** Returns the least and the largest of 0 and the values from `start` to `end`. */
function rangeOf(values: Float32Array, start: number, end: number): Range {
  let [least, most] = [0, 0];
  for (let i = start; i < end; i++) {
    const x = values[i] as number;
    if (x < least) least = x;
    else if (x > most) most = x;
  }
  return { least, most };
}

/** Returns the step between the quantized values of a block. */
function scaleOf({ least, most }: Range, symmetric: boolean, positive: boolean): number {
  if (!symmetric) return Math.fround((most - least) / 15);
  // There is one more code below zero than above: the largest magnitude gets it, unless steps have to be positive.
  if (positive) return Math.fround(Math.max(-least, most) / 7.5);
  return Math.fround((-least > most ? least : most) / -8) || 0;
}

function zeroOf(least: number, scale: number): number {
  return scale === 0 ? 0 : Math.max(0, Math.min(15, Math.round(-least / scale)));
}
