/**
 * Weights in codes of equal steps, in blocks along the inputs of each output, as sessions keep them: ONNX Runtime's
 * MatMulNBits reads the same bytes.
 *
 *     w[o, i] = scales[o, b] (codes[o, i] - zeros[o, b])        b = ⌊i / blockSize⌋
 *
 * Tensors: `codes` uint8 [out, blocks, blockSize · bits / 8], the lowest bits first; `scales` float32 [out, blocks]; `zeros`
 * float32 [out, blocks], where they are not the middle; `order` int32 [in], where inputs stand in another order than the
 * model's: which input each is.
 * @module
 */
import type { DType, MatrixDims, Named, NodeWriter, Tensor, WeightFormat } from "../../core/types.ts";

/** Bits of a code in memory. */
export type BlockBits = 2 | 4 | 8;

/** What tells such weights apart. */
export type LinearBlocks = Readonly<{
  bits: BlockBits;
  blockSize: number;
  /** Whether zero points are stored; else each is 2^(bits - 1). */
  hasZeros: boolean;
  /** Whether inputs stand in an order of their own. */
  hasOrder?: boolean;
  /** 4: activations are rounded to 8 bits, too, by block. Default: 0, as they are. */
  accuracyLevel?: 0 | 4;
}>;

/** Sizes of blocks that the product has, largest first. */
export const productBlocks: readonly number[] = [256, 128, 64, 32, 16];

/** How such weights are stored and computed with. */
export function linearBlocks(options: LinearBlocks): WeightFormat {
  const { bits, blockSize, hasZeros, hasOrder = false, accuracyLevel = 0 } = options;
  const blocksOf = ([outputs, inputs]: MatrixDims): number => outputs * Math.ceil(inputs / blockSize);
  return {
    label: [
      `int${bits}`,
      `block ${blockSize}`,
      ...(hasZeros ? ["zero points"] : []),
      ...(hasOrder ? ["inputs in order"] : []),
      ...(accuracyLevel === 0 ? [] : [`accuracy level ${accuracyLevel}`]),
    ].join(", "),
    bytes: (dims) => blocksOf(dims) * (blockSize * bits / 8 + (hasZeros ? 8 : 4)) + (hasOrder ? 4 * dims[1] : 0),
    decodingBytes: (dims) => 8 * blocksOf(dims) * blockSize,
    decode: (tensors, dims) => decodeBlocks(tensors, dims, options),
    writeDecoded: (writer, dims) => writeDecoded(writer, dims, options),
    writeProduct: (writer, { x, bias }, [N, K]) => {
      // The product of 8 bits with zero points that are not whole is wrong in ONNX Runtime 1.30.
      if (bits === 8 && hasZeros) return undefined;
      const int = (value: number) => ({ type: "int" as const, value });
      const ordered = hasOrder ? writer.add("Gather", [x, writer.tensor("order")], { axis: int(1) }) : x;
      const zeros = hasZeros ? writer.tensor("zeros") : "";
      const inputs = [ordered, writer.tensor("codes"), writer.tensor("scales"), zeros];
      while (inputs.at(-1) === "") inputs.pop();
      const attributes = {
        K: int(K),
        N: int(N),
        bits: int(bits),
        block_size: int(blockSize),
        accuracy_level: int(accuracyLevel),
      };
      const y = writer.add("MatMulNBits", inputs, attributes, "com.microsoft");
      return bias === undefined ? y : writer.add("Add", [y, bias]);
    },
    // Activations of 8 bits are off by so much.
    ...(accuracyLevel === 0 ? {} : { tolerance: { product: 0.02 } }),
  };
}

/** Codes of one a byte [out, blocks · blockSize], as they are stored. */
export function packCodes(codes: Uint8Array, bits: BlockBits): Uint8Array {
  const each = 8 / bits;
  const packed = new Uint8Array(codes.length / each);
  for (let i = 0; i < codes.length; i++) {
    const at = Math.floor(i / each);
    packed[at] = (packed[at] as number) | ((codes[i] as number) << (bits * (i % each)));
  }
  return packed;
}

function decodeBlocks(tensors: Named<Tensor>, [outputs, inputs]: MatrixDims, options: LinearBlocks): Float32Array {
  const { bits, blockSize } = options;
  const [codes, scales] = [tensors.codes?.data as Uint8Array, tensors.scales?.data as Float32Array];
  const zeros = tensors.zeros?.data as Float32Array | undefined;
  const order = tensors.order?.data as Int32Array | undefined;
  const blocks = Math.ceil(inputs / blockSize);
  const each = 8 / bits;
  const values = new Float32Array(outputs * inputs);
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      const [at, b] = [o * blocks * blockSize + i, o * blocks + Math.floor(i / blockSize)];
      const code = ((codes[Math.floor(at / each)] as number) >> (bits * (at % each))) & (2 ** bits - 1);
      const zero = zeros ? zeros[b] as number : 2 ** (bits - 1);
      values[o * inputs + (order ? order[i] as number : i)] = (scales[b] as number) * Math.fround(code - zero);
    }
  }
  return values;
}

/** The codes of each byte are looked up at once; what the last block of a row lacks is cut off again. */
function writeDecoded(writer: NodeWriter, [outputs, inputs]: MatrixDims, options: LinearBlocks): string {
  const { bits, blockSize, hasZeros, hasOrder } = options;
  const blocks = Math.ceil(inputs / blockSize);
  const codes = writer.tensor("codes");
  const values = bits === 8
    ? writer.cast(codes, "float32")
    : writer.add("Gather", [codesOfBytes(writer, bits), writer.cast(codes, "int32")]);
  const rows = writer.reshape(values, [outputs, blocks, blockSize]);
  const byBlock = (name: string): string => writer.reshape(writer.tensor(name), [outputs, blocks, 1]);
  const zeros = hasZeros
    ? byBlock("zeros")
    : writer.constant(`${2 ** (bits - 1)}`, fixed("float32", [], Float32Array.of(2 ** (bits - 1))));
  const scaled = writer.add("Mul", [writer.add("Sub", [rows, zeros]), byBlock("scales")]);
  const padded = writer.reshape(scaled, [outputs, blocks * blockSize]);
  const whole = blocks * blockSize === inputs ? padded : writer.slice(padded, 1, 0, inputs);
  if (!hasOrder) return whole;
  // Where each of the model's inputs stands: its place in the order's order.
  const axis = { axis: { type: "int" as const, value: 0 } };
  const places = writer.constant(
    `places of ${inputs}`,
    fixed("int32", [inputs], Int32Array.from({ length: inputs }, (_, i) => i)),
  );
  const inverse = writer.add("ScatterElements", [places, writer.tensor("order"), places], axis);
  return writer.add("Gather", [whole, inverse], { axis: { type: "int", value: 1 } });
}

/** The codes that each byte holds, the lowest bits first. */
function codesOfBytes(writer: NodeWriter, bits: 2 | 4): string {
  const each = 8 / bits;
  const data = Float32Array.from(
    { length: 256 * each },
    (_, i) => (Math.floor(i / each) >> (bits * (i % each))) & (2 ** bits - 1),
  );
  return writer.constant(`codes of ${bits} bits`, fixed("float32", [256, each], data));
}

function fixed(dtype: DType, dims: readonly number[], data: Tensor["data"]): Tensor {
  return { dtype, dims, data };
}
