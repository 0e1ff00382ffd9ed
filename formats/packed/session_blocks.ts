/** Packed weights as blocks for sessions, if ONNX Runtime's product over blocks (MatMulNBits) can use their codes. */
import type { MatrixDims, Named, Tensor, WeightFormat } from "../../core/types.ts";
import { type BlockBits, linearBlocks, packCodes, productBlocks } from "../quantization/linear_blocks.ts";
import type { LinearCodes } from "../quantization/linear_codes.ts";

/** A weight that sessions use in its codes. */
export type SessionWeight = Readonly<{ format: WeightFormat; tensors(): Promise<Named<Tensor>> }>;

/**
 * What is known of codes before they are read: the group of each input, and their `groupCount`. `hasZeros`: whether
 * zero points may differ from the middle code.
 */
export type CodesLayout = Readonly<{ bits: number; groups: Int32Array; groupCount: number; hasZeros: boolean }>;

/** Returns the weight as blocks along its inputs; undefined if its groups do not consist of whole blocks. */
export function toSessionBlocks(
  { bits, groups, groupCount, hasZeros }: CodesLayout,
  dims: MatrixDims,
  codes: () => Promise<LinearCodes>,
): SessionWeight | undefined {
  const [, inputs] = dims;
  const order = orderOf(groups);
  const blockSize = blockSizeOf(order ? order.map((i) => groups[i] as number) : groups, groupCount);
  if (blockSize === undefined) return undefined;
  const wide: BlockBits = bits <= 2 ? 2 : bits <= 4 ? 4 : 8;
  // Wider codes have another middle, so zero points have to be stored.
  const stored = { bits: wide, blockSize, hasZeros: hasZeros || wide !== bits, hasOrder: order !== undefined };
  return {
    format: linearBlocks(stored),
    tensors: async () => {
      const tensors = blocksOf(await codes(), dims, blockSize, wide, order ?? groups.map((_, i) => i));
      return {
        codes: tensors.codes,
        scales: tensors.scales,
        ...(stored.hasZeros ? { zeros: tensors.zeros } : {}),
        ...(order ? { order: { dtype: "int32", dims: [inputs], data: order } } : {}),
      };
    },
  };
}

/** Returns the inputs sorted by group; undefined if they are already in that order. */
function orderOf(groups: Int32Array): Int32Array | undefined {
  if (groups.every((g, i) => i === 0 || g >= (groups[i - 1] as number))) return undefined;
  return groups.map((_, i) => i).sort((a, b) => (groups[a] as number) - (groups[b] as number) || a - b);
}

/** Returns the largest block size for which no block spans two groups. */
function blockSizeOf(sorted: Int32Array, count: number): number | undefined {
  const inputs = sorted.length;
  if (count === 1) return productBlocks.find((size) => size <= inputs) ?? productBlocks.at(-1);
  const ends = (i: number): boolean => i > 0 && sorted[i] !== sorted[i - 1];
  return productBlocks.find((size) => sorted.every((_, i) => !ends(i) || i % size === 0));
}

function blocksOf(
  { codes, scales, zeros, groups }: LinearCodes,
  [outputs, inputs]: MatrixDims,
  blockSize: number,
  bits: BlockBits,
  order: Int32Array,
): Readonly<{ codes: Tensor; scales: Tensor; zeros: Tensor }> {
  const blocks = Math.ceil(inputs / blockSize);
  const count = scales.length / outputs;
  const plain = new Uint8Array(outputs * blocks * blockSize);
  const [blockScales, blockZeros] = [new Float32Array(outputs * blocks), new Float32Array(outputs * blocks)];
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      plain[o * blocks * blockSize + i] = codes[o * inputs + (order[i] as number)] as number;
    }
    for (let b = 0; b < blocks; b++) {
      const g = o * count + (groups[order[b * blockSize] as number] as number);
      blockScales[o * blocks + b] = scales[g] as number;
      blockZeros[o * blocks + b] = zeros[g] as number;
    }
  }
  return {
    codes: { dtype: "uint8", dims: [outputs, blocks, blockSize * bits / 8], data: packCodes(plain, bits) },
    scales: { dtype: "float32", dims: [outputs, blocks], data: blockScales },
    zeros: { dtype: "float32", dims: [outputs, blocks], data: blockZeros },
  };
}
