/**
 * Linearly quantized weights in blocks along the inputs of each output, as sessions keep them: ONNX Runtime's
 * MatMulNBits reads the same bytes.
 *
 *     w[o, i] = scales[o, b] (codes[o, i] - zeros[o, b])        b = ⌊i / blockSize⌋
 *
 * Tensors: `codes` uint8 [out, blocks, blockSize · bits / 8], the lowest bits first; `scales` float32 [out, blocks], or
 * `scaleCodes` uint8, `nestedScales` and `offset` float32 if they are quantized too; `zeros`, unless each is the middle
 * code: float32 [out, blocks], or whole numbers packed in uint8 [out, ⌈blocks · bits / 8⌉]; `order` int32 [in], where
 * inputs are not stored in the model's order: the model's input at each position.
 */
import type { MatrixDims, Named, NodeWriter, StepBlocks, Tensor, WeightFormat } from "../../core/types.ts";
import { dequantizeAbsmax, NESTED_BLOCK } from "./bitsandbytes.ts";
import { writeNested } from "./nested_scales.ts";
import { roundedProducts } from "./rounded_products.ts";

/** Bits of a stored code. */
export type BlockBits = 2 | 4 | 8;

/** Parameters of the format. */
export type LinearBlocks = Readonly<{
  bits: BlockBits;
  blockSize: number;
  /** Whether zero points are stored; else each is 2^(bits - 1). */
  hasZeros: boolean;
  /** Whether zero points are whole numbers, packed like codes. Default: float32. */
  wholeZeros?: boolean;
  /** Whether scales are quantized too, to 8 bits in blocks of 256. */
  useDoubleQuant?: boolean;
  /** The dtype that operands of products are rounded to. Default: "float32". */
  computeDtype?: "float32" | "float16" | "bfloat16";
  /** Whether inputs are stored in another order than the model's. */
  hasOrder?: boolean;
  /** 4: activations are rounded to 8 bits, too, by block. Default: 0, they are not rounded. */
  accuracyLevel?: 0 | 4;
}>;

/** Block sizes that MatMulNBits supports, largest first. */
export const productBlocks: readonly number[] = [256, 128, 64, 32, 16];

/** Returns the format in which sessions store such weights and compute with them. */
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
    // The kernel for int8 activations repacks these tensors, so they must be constants.
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
      // In ONNX Runtime 1.30 the 8-bit product is wrong if zero points are not whole, else it is slower than decoding.
      if (bits === 8 && (hasZeros || accuracyLevel === 0)) return undefined;
      const int = (value: number) => ({ type: "int" as const, value });
      const ordered = hasOrder ? writer.add("Gather", [x, writer.tensor("order")], { axis: int(1) }) : x;
      // The 4-bit product is up to twice as fast with zero points as floats, even if all of them are equal.
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
    // The error of products with 8-bit activations.
    ...(accuracyLevel === 0 ? {} : { tolerance: { product: 0.03 } }),
  };
  return computeDtype === "float32" ? format : { ...format, ...roundedProducts(format, computeDtype) };
}

/** Whether scales stay codes. The kernel for int8 activations needs constant scales, else it is silently wrong. */
export function keepsNested({ useDoubleQuant, accuracyLevel }: LinearBlocks): boolean {
  return useDoubleQuant === true && accuracyLevel !== 4;
}

/** Returns the bytes of an output's packed zero points. */
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

/** Returns the code at position `at` of packed codes. */
function codeAt(packed: Uint8Array, at: number, bits: BlockBits): number {
  const each = 8 / bits;
  return ((packed[Math.floor(at / each)] as number) >> (bits * (at % each))) & (2 ** bits - 1);
}

/** Packs codes [out, blocks · blockSize], one a byte, as they are stored. */
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

/** Writes the decoded weight. Looks up all codes of a byte at once; cuts off the padding of each row's last block. */
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
  // The inverse of `order`: the position of each of the model's inputs.
  const axis = { axis: { type: "int" as const, value: 0 } };
  const places = writer.constant(
    `places of ${inputs}`,
    { dtype: "int32", dims: [inputs], data: Int32Array.from({ length: inputs }, (_, i) => i) },
  );
  const inverse = writer.add("ScatterElements", [places, writer.tensor("order"), places], axis);
  return writer.add("Gather", [whole, inverse], { axis: { type: "int", value: 1 } });
}

/** Writes the zero points as float32, one for each block. */
function writeZeros(writer: NodeWriter, [outputs, inputs]: MatrixDims, options: LinearBlocks): string {
  const { bits, blockSize, hasZeros, wholeZeros } = options;
  const blocks = Math.ceil(inputs / blockSize);
  if (!hasZeros) return writer.expand(writeMiddle(writer, bits), [outputs * blocks]);
  if (!wholeZeros) return writer.tensor("zeros");
  const width = zeroBytes(inputs, options) * 8 / bits;
  const zeros = writer.reshape(unpacked(writer, "zeros", bits), [outputs, width]);
  return writer.reshape(width === blocks ? zeros : writer.slice(zeros, 1, 0, blocks), [outputs * blocks]);
}

/** Writes the zero point of weights that store none. */
function writeMiddle(writer: NodeWriter, bits: BlockBits): string {
  const middle = 2 ** (bits - 1);
  return writer.constant(`${middle}`, { dtype: "float32", dims: [], data: Float32Array.of(middle) });
}

/** Writes the codes of a tensor, each as float32. */
function unpacked(writer: NodeWriter, name: string, bits: BlockBits): string {
  return bits === 8
    ? writer.cast(writer.tensor(name), "float32")
    : writer.add("Gather", [codesOfBytes(writer, bits), writer.cast(writer.tensor(name), "int32")]);
}

/** Writes the table of the codes in each byte, the lowest bits first. */
function codesOfBytes(writer: NodeWriter, bits: 2 | 4): string {
  const each = 8 / bits;
  const data = Float32Array.from(
    { length: 256 * each },
    (_, i) => (Math.floor(i / each) >> (bits * (i % each))) & (2 ** bits - 1),
  );
  return writer.constant(`codes of ${bits} bits`, { dtype: "float32", dims: [256, each], data });
}
