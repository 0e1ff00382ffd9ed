/**
 * Weights in codes of equal steps, in blocks along the inputs of each output, as sessions keep them: ONNX Runtime's
 * MatMulNBits reads the same bytes.
 *
 *     w[o, i] = scales[o, b] (codes[o, i] - zeros[o, b])        b = ⌊i / blockSize⌋
 *
 * Tensors: `codes` uint8 [out, blocks, blockSize · bits / 8], the lowest bits first; `scales` float32 [out, blocks], or
 * `scaleCodes` uint8, `nestedScales` and `offset` float32 where they are codes themselves; `zeros` where they are not the
 * middle: float32 [out, blocks], or whole ones uint8 [out, ⌈blocks · bits / 8⌉], packed alike; `order` int32 [in], where inputs stand in another order than the
 * model's: which input each is.
 */
import type { MatrixDims, Named, NodeWriter, StepBlocks, Tensor, WeightFormat } from "../../core/types.ts";
import { dequantizeAbsmax, NESTED_BLOCK } from "./bitsandbytes.ts";
import { writeNested } from "./nested_scales.ts";
import { roundedProducts } from "./rounded_products.ts";

/** Bits of a code in memory. */
export type BlockBits = 2 | 4 | 8;

/** What tells such weights apart. */
export type LinearBlocks = Readonly<{
  bits: BlockBits;
  blockSize: number;
  /** Whether zero points are stored; else each is 2^(bits - 1). */
  hasZeros: boolean;
  /** Whether these are whole, and packed as codes are. Default: float32. */
  wholeZeros?: boolean;
  /** Whether scales are quantized too, to 8 bits in blocks of 256. */
  useDoubleQuant?: boolean;
  /** What operands of products are rounded to first. */
  computeDtype?: "float32" | "float16" | "bfloat16";
  /** Whether inputs stand in an order of their own. */
  hasOrder?: boolean;
  /** 4: activations are rounded to 8 bits, too, by block. Default: 0, as they are. */
  accuracyLevel?: 0 | 4;
}>;

/** Sizes of blocks that the product has, largest first. */
export const productBlocks: readonly number[] = [256, 128, 64, 32, 16];

/** How such weights are stored and computed with. */
export function linearBlocks(options: LinearBlocks): WeightFormat {
  const { bits, blockSize, hasZeros, hasOrder = false, accuracyLevel = 0, computeDtype = "float32" } = options;
  const blocksOf = ([outputs, inputs]: MatrixDims): number => outputs * Math.ceil(inputs / blockSize);
  const format: WeightFormat = {
    label: [
      `int${bits}`,
      `block ${blockSize}`,
      ...(hasZeros ? [options.wholeZeros ? "asymmetric" : "zero points"] : []),
      ...(options.useDoubleQuant ? ["double"] : []),
      ...(hasOrder ? ["inputs in order"] : []),
      ...(accuracyLevel === 0 ? [] : ["activations in int8"]),
      ...(computeDtype === "float32" ? [] : [`computed in ${computeDtype}`]),
    ].join(", "),
    blocks: { bits, size: blockSize, hasOrder, read: (tensors, dims) => readBlocks(tensors, dims, options) },
    // The kernel over activations in int8 packs what it multiplies by.
    ...(accuracyLevel === 0 ? {} : { constants: ["codes", "scales", "zeros"] }),
    bytes: (dims) => {
      const blocks = blocksOf(dims);
      const scales = keepsNested(options) ? blocks + 4 * Math.ceil(blocks / NESTED_BLOCK) + 4 : 4 * blocks;
      const zeros = !hasZeros ? 0 : options.wholeZeros ? dims[0] * zeroBytes(dims[1], options) : 4 * blocks;
      return blocks * blockSize * bits / 8 + scales + zeros + (hasOrder ? 4 * dims[1] : 0);
    },
    decodingBytes: (dims) => 8 * blocksOf(dims) * blockSize,
    decode: (tensors, dims) => decodeBlocks(tensors, dims, options),
    writeDecoded: (writer, dims) => writeDecoded(writer, dims, options),
    writeProduct: (writer, { x, bias }, [N, K]) => {
      // In ONNX Runtime 1.30 that of 8 bits is wrong with zero points that are not whole, and else slower than to decode.
      if (bits === 8 && (hasZeros || accuracyLevel === 0)) return undefined;
      const int = (value: number) => ({ type: "int" as const, value });
      const ordered = hasOrder ? writer.add("Gather", [x, writer.tensor("order")], { axis: int(1) }) : x;
      // That of 4 bits is up to twice as fast with zero points as floats, even where each is the same.
      const asFloats = bits === 4 && accuracyLevel === 0;
      const zeros = asFloats ? writeZeros(writer, [N, K], options) : hasZeros ? writer.tensor("zeros") : "";
      const scales = writeScales(writer, options, blocksOf([N, K]));
      const inputs = [ordered, writer.tensor("codes"), scales, zeros];
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
    ...(accuracyLevel === 0 ? {} : { tolerance: { product: 0.03 } }),
  };
  return computeDtype === "float32" ? format : { ...format, ...roundedProducts(format, computeDtype) };
}

/** Whether scales stay codes: the kernel that packs them takes constants alone, and is silently wrong over others. */
export function keepsNested({ useDoubleQuant, accuracyLevel }: LinearBlocks): boolean {
  return useDoubleQuant === true && accuracyLevel !== 4;
}

/** Bytes of an output's zero points where they are packed. */
export function zeroBytes(inputs: number, { blockSize, bits }: LinearBlocks): number {
  return Math.ceil(Math.ceil(inputs / blockSize) * bits / 8);
}

function scalesOf(tensors: Named<Tensor>): Float32Array {
  const data = <D>(name: string): D => tensors[name]?.data as D;
  if (tensors.scales) return data("scales");
  return dequantizeAbsmax({
    codes: data("scaleCodes"),
    nestedAbsmax: data("nestedScales"),
    offset: data<Float32Array>("offset")[0] ?? 0,
  });
}

function writeScales(writer: NodeWriter, options: LinearBlocks, count: number): string {
  if (!keepsNested(options)) return writer.tensor("scales");
  return writeNested(writer, { codes: "scaleCodes", nested: "nestedScales", offset: "offset" }, count);
}

/** A code of some that are packed. */
function codeAt(packed: Uint8Array, at: number, bits: BlockBits): number {
  const each = 8 / bits;
  return ((packed[Math.floor(at / each)] as number) >> (bits * (at % each))) & (2 ** bits - 1);
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

function readBlocks(
  tensors: Named<Tensor>,
  [outputs, inputs]: MatrixDims,
  options: LinearBlocks,
): ReturnType<StepBlocks["read"]> {
  const { bits, blockSize } = options;
  const packed = tensors.codes?.data as Uint8Array;
  const stored = tensors.zeros?.data as Float32Array | Uint8Array | undefined;
  const blocks = Math.ceil(inputs / blockSize);
  const middle = 2 ** (bits - 1);
  const zeroAt = (o: number, b: number): number =>
    stored instanceof Uint8Array
      ? codeAt(stored.subarray(o * zeroBytes(inputs, options)), b, bits)
      : stored?.[o * blocks + b] ?? middle;
  const zeros = new Float32Array(outputs * blocks);
  const codes = new Uint8Array(outputs * inputs);
  for (let o = 0; o < outputs; o++) {
    for (let b = 0; b < blocks; b++) zeros[o * blocks + b] = zeroAt(o, b);
    for (let i = 0; i < inputs; i++) codes[o * inputs + i] = codeAt(packed, o * blocks * blockSize + i, bits);
  }
  return { codes, scales: scalesOf(tensors).slice(), zeros };
}

function decodeBlocks(tensors: Named<Tensor>, dims: MatrixDims, options: LinearBlocks): Float32Array {
  const [outputs, inputs] = dims;
  const { codes, scales, zeros } = readBlocks(tensors, dims, options);
  const order = tensors.order?.data as Int32Array | undefined;
  const blocks = Math.ceil(inputs / options.blockSize);
  const values = new Float32Array(outputs * inputs);
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      const b = o * blocks + Math.floor(i / options.blockSize);
      const steps = Math.fround((codes[o * inputs + i] as number) - (zeros[b] as number));
      values[o * inputs + (order ? order[i] as number : i)] = (scales[b] as number) * steps;
    }
  }
  return values;
}

/** The codes of each byte are looked up at once; what the last block of a row lacks is cut off again. */
function writeDecoded(writer: NodeWriter, [outputs, inputs]: MatrixDims, options: LinearBlocks): string {
  const { bits, blockSize, hasZeros, hasOrder } = options;
  const blocks = Math.ceil(inputs / blockSize);
  const rows = writer.reshape(unpacked(writer, "codes", bits), [outputs, blocks, blockSize]);
  const byBlock = (values: string): string => writer.reshape(values, [outputs, blocks, 1]);
  const zeros = hasZeros ? byBlock(writeZeros(writer, [outputs, inputs], options)) : writeMiddle(writer, bits);
  const scales = byBlock(writeScales(writer, options, outputs * blocks));
  const scaled = writer.add("Mul", [writer.add("Sub", [rows, zeros]), scales]);
  const padded = writer.reshape(scaled, [outputs, blocks * blockSize]);
  const whole = blocks * blockSize === inputs ? padded : writer.slice(padded, 1, 0, inputs);
  if (!hasOrder) return whole;
  // Where each of the model's inputs stands: its place in the order's order.
  const axis = { axis: { type: "int" as const, value: 0 } };
  const places = writer.constant(
    `places of ${inputs}`,
    { dtype: "int32", dims: [inputs], data: Int32Array.from({ length: inputs }, (_, i) => i) },
  );
  const inverse = writer.add("ScatterElements", [places, writer.tensor("order"), places], axis);
  return writer.add("Gather", [whole, inverse], { axis: { type: "int", value: 1 } });
}

/** The zero points as float32, one for each block. */
function writeZeros(writer: NodeWriter, [outputs, inputs]: MatrixDims, options: LinearBlocks): string {
  const { bits, blockSize, hasZeros, wholeZeros } = options;
  const blocks = Math.ceil(inputs / blockSize);
  if (!hasZeros) return writer.expand(writeMiddle(writer, bits), [outputs * blocks]);
  if (!wholeZeros) return writer.tensor("zeros");
  const width = zeroBytes(inputs, options) * 8 / bits;
  const zeros = writer.reshape(unpacked(writer, "zeros", bits), [outputs, width]);
  return writer.reshape(width === blocks ? zeros : writer.slice(zeros, 1, 0, blocks), [outputs * blocks]);
}

/** The zero point where none is stored. */
function writeMiddle(writer: NodeWriter, bits: BlockBits): string {
  const middle = 2 ** (bits - 1);
  return writer.constant(`${middle}`, { dtype: "float32", dims: [], data: Float32Array.of(middle) });
}

/** The codes of a tensor, each as float32. */
function unpacked(writer: NodeWriter, name: string, bits: BlockBits): string {
  return bits === 8
    ? writer.cast(writer.tensor(name), "float32")
    : writer.add("Gather", [codesOfBytes(writer, bits), writer.cast(writer.tensor(name), "int32")]);
}

/** The codes that each byte holds, the lowest bits first. */
function codesOfBytes(writer: NodeWriter, bits: 2 | 4): string {
  const each = 8 / bits;
  const data = Float32Array.from(
    { length: 256 * each },
    (_, i) => (Math.floor(i / each) >> (bits * (i % each))) & (2 ** bits - 1),
  );
  return writer.constant(`codes of ${bits} bits`, { dtype: "float32", dims: [256, each], data });
}
