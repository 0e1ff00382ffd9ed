/**
 * Weights in bitsandbytes' 4-bit codes, as sessions keep them.
 *
 * Tensors: `codes` uint8 [⌈n / 2⌉], and the block maxima: `absmax` float32, or else `absmaxCodes` uint8, `nestedAbsmax`
 * and `offset` float32. Their bytes are those of bitsandbytes' files.
 */
import type { MatrixDims, Named, NodeWriter, Tensor, WeightFormat } from "../../core/types.ts";
import { dequantizeAbsmax, dequantizeFourBit, fourBitTables, type FourBitType, NESTED_BLOCK } from "./bitsandbytes.ts";
import { writeNested } from "./nested_scales.ts";
import { roundedProducts } from "./rounded_products.ts";

/** A format of 4-bit codes. `computeDtype`: the type to which operands of products are rounded. */
export type CodeBlocks = Readonly<{
  type: FourBitType;
  blockSize: number;
  useDoubleQuant: boolean;
  computeDtype?: "float32" | "float16" | "bfloat16";
}>;

/** Block sizes that ONNX Runtime's MatMulBnb4 supports. */
const fused: readonly number[] = [16, 32, 64, 128, 256];

/** Returns the format in which sessions store such weights and compute with them. */
export function codeBlocks(options: CodeBlocks): WeightFormat {
  const { type, blockSize, useDoubleQuant, computeDtype = "float32" } = options;
  const blocksOf = ([outputs, inputs]: MatrixDims): number => Math.ceil(outputs * inputs / blockSize);
  const format: WeightFormat = {
    label: [
      type,
      `block ${blockSize}`,
      ...(useDoubleQuant ? ["double"] : []),
      ...(computeDtype === "float32" ? [] : [`computed in ${computeDtype}`]),
    ].join(", "),
    bytes: (dims) => {
      const blocks = blocksOf(dims);
      const maxima = useDoubleQuant ? blocks + 4 * Math.ceil(blocks / NESTED_BLOCK) + 4 : 4 * blocks;
      return Math.ceil(dims[0] * dims[1] / 2) + maxima;
    },
    decodingBytes: (dims) => 4 * blocksOf(dims) * blockSize,
    decode: (tensors, [outputs, inputs]) =>
      dequantizeFourBit(
        { codes: dataOf(tensors, "codes"), absmax: absmaxOf(tensors) },
        fourBitTables[type],
        blockSize,
        outputs * inputs,
      ),
    writeDecoded: (writer, dims) => writeDecoded(writer, dims, options, blocksOf(dims)),
    writeProduct: (writer, { x, bias }, dims) => {
      if (!fused.includes(blockSize)) return undefined;
      const [N, K] = dims;
      const int = (value: number) => ({ type: "int" as const, value });
      const y = writer.add(
        "MatMulBnb4",
        [x, writer.tensor("codes"), writeAbsmax(writer, useDoubleQuant, blocksOf(dims))],
        { K: int(K), N: int(N), block_size: int(blockSize), quant_type: int(type === "nf4" ? 1 : 0) },
        "com.microsoft",
      );
      return bias === undefined ? y : writer.add("Add", [y, bias]);
    },
  };
  return computeDtype === "float32" ? format : { ...format, ...roundedProducts(format, computeDtype) };
}

function dataOf<D>(tensors: Named<Tensor>, name: string): D {
  return tensors[name]?.data as D;
}

function absmaxOf(tensors: Named<Tensor>): Float32Array {
  if (tensors.absmax) return dataOf(tensors, "absmax");
  return dequantizeAbsmax({
    codes: dataOf(tensors, "absmaxCodes"),
    nestedAbsmax: dataOf(tensors, "nestedAbsmax"),
    offset: dataOf<Float32Array>(tensors, "offset")[0] ?? 0,
  });
}

// Looks up both values of a byte at once. The last block is padded, and the padding is cut off again.
function writeDecoded(
  writer: NodeWriter,
  [outputs, inputs]: MatrixDims,
  { type, blockSize, useDoubleQuant }: CodeBlocks,
  blocks: number,
): string {
  const length = outputs * inputs;
  const bytes = Math.ceil(length / 2);
  const missing = blocks * blockSize / 2 - bytes;
  const codes = writer.tensor("codes");
  const filled = missing === 0 ? codes : writer.add(
    "Concat",
    [codes, writer.constant(`zeros[${missing}]`, { dtype: "uint8", dims: [missing], data: new Uint8Array(missing) })],
    { axis: { type: "int", value: 0 } },
  );
  const pairs = writer.add("Gather", [pairTable(writer, type), writer.cast(filled, "int32")]);
  const rows = writer.reshape(pairs, [blocks, blockSize]);
  const absmax = writer.reshape(writeAbsmax(writer, useDoubleQuant, blocks), [blocks, 1]);
  const values = writer.add("Mul", [rows, absmax]);
  const whole = blocks * blockSize === length
    ? values
    : writer.slice(writer.reshape(values, [blocks * blockSize]), 0, 0, length);
  return writer.reshape(whole, [outputs, inputs]);
}

/** The values of both nibbles of each byte, the high one first. */
function pairTable(writer: NodeWriter, type: FourBitType): string {
  const table = fourBitTables[type];
  const data = Float32Array.from({ length: 512 }, (_, i) => table[i % 2 === 0 ? i >> 5 : (i >> 1) & 15] ?? 0);
  return writer.constant(`${type} pairs`, { dtype: "float32", dims: [256, 2], data });
}

function writeAbsmax(writer: NodeWriter, useDoubleQuant: boolean, blocks: number): string {
  if (!useDoubleQuant) return writer.tensor("absmax");
  return writeNested(writer, { codes: "absmaxCodes", nested: "nestedAbsmax", offset: "offset" }, blocks);
}
