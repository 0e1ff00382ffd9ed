/**
 * Weights quantized to linear codes of 4 bits.
 * @module
 */
import type { MatrixDims, Named, Tensor } from "../../core/types.ts";
import { dequantizeAbsmax, quantizeAbsmax } from "./bitsandbytes.ts";
import { keepsNested, type LinearBlocks, zeroBytes } from "./linear_blocks.ts";

const tensor = (dtype: Tensor["dtype"], dims: readonly number[], data: Tensor["data"]): Tensor => ({
  dtype,
  dims,
  data,
});

/** The codes of a weight [out, in]; its values have to be finite. */
export function encodeLinear(
  values: Float32Array,
  [outputs, inputs]: MatrixDims,
  options: LinearBlocks,
): Named<Tensor> {
  const { blockSize, hasZeros, useDoubleQuant = false } = options;
  const symmetric = !hasZeros;
  const blocks = Math.ceil(inputs / blockSize);
  const count = outputs * blocks;
  const blockAt = (b: number): Float32Array => {
    const [o, i] = [Math.floor(b / blocks), (b % blocks) * blockSize];
    return values.subarray(o * inputs + i, o * inputs + Math.min(i + blockSize, inputs));
  };
  const ranges = Array.from({ length: count }, (_, b) => rangeOf(blockAt(b), symmetric, useDoubleQuant));
  const given = Float32Array.from(ranges, ({ scale }) => scale);
  const nested = useDoubleQuant ? quantizeAbsmax(given) : undefined;
  const scales = nested ? dequantizeAbsmax(nested) : given;
  const codes = new Uint8Array(count * blockSize / 2);
  const zeros = new Uint8Array(outputs * zeroBytes(inputs, options));
  for (let b = 0; b < count; b++) {
    const scale = scales[b] as number;
    const zero = symmetric ? 8 : zeroOf(ranges[b]?.least ?? 0, scale);
    const block = blockAt(b);
    const codeAt = (i: number): number => {
      const x = block[i] ?? 0;
      return Math.max(0, Math.min(15, (scale === 0 ? 0 : Math.round(x / scale)) + zero));
    };
    for (let i = 0; i < blockSize; i += 2) codes[(b * blockSize + i) / 2] = codeAt(i) | (codeAt(i + 1) << 4);
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

/** The step between the values of a block, and the least of these. */
function rangeOf(
  block: Float32Array,
  symmetric: boolean,
  positive: boolean,
): Readonly<{ scale: number; least: number }> {
  let [least, most] = [0, 0];
  for (const x of block) [least, most] = [Math.min(least, x), Math.max(most, x)];
  if (!symmetric) return { scale: Math.fround((most - least) / 15), least };
  // There is one more code below zero than above: the largest value has it, unless steps have to be positive.
  if (positive) return { scale: Math.fround(Math.max(-least, most) / 7.5), least };
  return { scale: Math.fround((-least > most ? least : most) / -8) || 0, least };
}

function zeroOf(least: number, scale: number): number {
  return scale === 0 ? 0 : Math.max(0, Math.min(15, Math.round(-least / scale)));
}
