/**
 * Weights as int8 with a scale per output, multiplied in int8 or as float32.
 *
 *     w[o, i] = scale[o] · code[o, i]        codes are stored transposed, [in, out], as products read them
 *
 * Tensors: `codes` int8 [in, out], `scales` float32 [out]; where gradients are multiplied in int8 too, `rows` int8 [out, in].
 */
import { quantizeInt8 } from "../../core/files/int8.ts";
import type {
  MatrixDims,
  Named,
  NodeAttribute,
  NodeWriter,
  ProductFormat,
  Tensor,
  WeightFormat,
} from "../../core/types.ts";

/**
 * How products are computed. For int8, activations and gradients are rounded with one scale per row; activations may
 * also have a single scale ("tensor").
 */
export type OutputInt8 = Readonly<{
  forward: "int8" | "float32";
  backward: "int8" | "float32";
  activationScale: "row" | "tensor";
}>;

/** Tolerance of int8 products, relative to the largest exact value. */
const ROUNDED = 3e-2;

/** ONNX's number for the data type int8. */
const INT8 = 3;

const int = (value: number): NodeAttribute => ({ type: "int", value });

/**
 * Returns the format in which sessions store such weights and compute with them. Products read activations as unsigned
 * bytes with zero point 128, because processors multiply those with signed codes. Where ONNX Runtime adds such products
 * up in 16 bits (x86 without VNNI), codes are made unsigned too before the product: that kernel is exact.
 */
export function outputInt8(options: OutputInt8): WeightFormat {
  return { ...formatOver(options, signed), otherwise: formatOver(options, unsigned) };
}

function formatOver(options: OutputInt8, integersOf: ReadIntegers): WeightFormat {
  const { forward, backward } = options;
  const rounded = roundedProducts(options, integersOf);
  return {
    ...rounded,
    label: ["int8", ...labelsOf(options)].join(", "),
    bytes: ([outputs, inputs]) => (backward === "int8" ? 2 : 1) * outputs * inputs + 4 * outputs,
    decodingBytes: () => 0,
    decode: ({ codes, scales }, [outputs, inputs]) =>
      Float32Array.from(
        { length: outputs * inputs },
        (_, k) => at(codes, (k % inputs) * outputs + Math.floor(k / inputs)) * at(scales, Math.floor(k / inputs)),
      ),
    writeDecoded: (writer) => {
      const values = writer.add("Mul", [writer.cast(writer.tensor("codes"), "float32"), writer.tensor("scales")]);
      return writer.add("Transpose", [values], { perm: { type: "ints", value: [1, 0] } });
    },
    // The scales are the outputs': they go into dy.
    ...(forward === "int8" ? {} : {
      writeProduct: (writer, { x, bias }) =>
        withBias(writer, writer.add("Mul", [product(writer, x, 0), writer.tensor("scales")]), bias),
    }),
    ...(backward === "int8" ? {} : { writeTransposedProduct: (writer, dy) => product(writer, scaled(writer, dy), 1) }),
  };
}

/**
 * Returns the same products for a weight that is being trained, whose codes are made anew in each pass. Products not in
 * int8 use the values themselves. Undefined if none is in int8.
 */
export function trainedInt8(options: OutputInt8): ProductFormat | undefined {
  const { forward, backward } = options;
  if (forward === "float32" && backward === "float32") return undefined;
  const over = (integersOf: ReadIntegers): ProductFormat => ({
    ...roundedProducts(options, integersOf),
    label: ["int8 of weights that train", ...labelsOf(options)].join(", "),
    bytes: ([outputs, inputs]) => (backward === "int8" ? outputs * inputs + 4 * outputs : 0),
    writeTensors: (writer, values, { conv1d }) => {
      const scales = stepOf(writer, values, conv1d ? 0 : 1);
      const attributes = { axis: int(conv1d ? 1 : 0), output_dtype: int(INT8) };
      const integers = writer.add("QuantizeLinear", [values, scales], attributes);
      const turned = (): string => writer.add("Transpose", [integers], { perm: { type: "ints", value: [1, 0] } });
      return {
        scales,
        ...(forward === "int8" ? { codes: conv1d ? integers : turned() } : {}),
        ...(backward === "int8" ? { rows: conv1d ? turned() : integers } : {}),
      };
    },
  });
  return { ...over(signed), otherwise: over(unsigned) };
}

/** Returns the products that are computed in int8, and their tolerances. */
function roundedProducts(
  { forward, backward, activationScale }: OutputInt8,
  integersOf: ReadIntegers,
): Pick<WeightFormat, "writeProduct" | "writeTransposedProduct" | "tolerance" | "savesTime"> {
  const multiply = activationScale === "row" ? rowProduct : tensorProduct;
  const tolerance = {
    ...(forward === "int8" ? { product: ROUNDED } : {}),
    ...(backward === "int8" ? { transposedProduct: ROUNDED } : {}),
  };
  return {
    ...(Object.keys(tolerance).length === 0 ? {} : { tolerance, savesTime: true }),
    ...(forward === "float32" ? {} : {
      writeProduct: (writer, { x, bias }) =>
        withBias(writer, multiply(writer, x, integersOf(writer, "codes"), writer.tensor("scales")), bias),
    }),
    ...(backward === "float32"
      ? {}
      : { writeTransposedProduct: (writer, dy) => rowProduct(writer, scaled(writer, dy), integersOf(writer, "rows")) }),
  };
}

function labelsOf({ forward, backward, activationScale }: OutputInt8): readonly string[] {
  return [
    ...(forward === "float32" ? [] : [`products in int8${activationScale === "row" ? "" : " with one scale"}`]),
    ...(backward === "float32" ? [] : ["gradients in int8"]),
  ];
}

function scaled(writer: NodeWriter, dy: string): string {
  return writer.add("Mul", [dy, writer.tensor("scales")]);
}

function withBias(writer: NodeWriter, y: string, bias: string | undefined): string {
  return bias === undefined ? y : writer.add("Add", [y, bias]);
}

/** Quantizes a weight [out, in]; its values must be finite. */
export function encodeInt8(
  values: Float32Array,
  [outputs, inputs]: MatrixDims,
  { backward }: Pick<OutputInt8, "backward">,
): Named<Tensor> {
  const { values: rows, scale } = quantizeInt8({ dtype: "float32", dims: [outputs, inputs], data: values });
  const codes = new Int8Array(rows.data.length);
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) codes[i * outputs + o] = rows.data[o * inputs + i] as number;
  }
  return {
    codes: { dtype: "int8", dims: [inputs, outputs], data: codes },
    scales: scale,
    ...(backward === "int8" ? { rows } : {}),
  };
}

function at(tensor: Tensor | undefined, i: number): number {
  return Number(tensor?.data[i]);
}

/** Writes x times the codes as float32; `transB` 1: times the transposed codes. */
function product(writer: NodeWriter, x: string, transB: 0 | 1): string {
  return writer.add("Gemm", [x, writer.cast(writer.tensor("codes"), "float32")], { transB: int(transB) });
}

/** The integers of a weight as products read them. `zero`: their zero point, if it is not 0. */
type Integers = Readonly<{ values: string; zero: string | undefined }>;
type ReadIntegers = (writer: NodeWriter, tensor: string) => Integers;

const signed: ReadIntegers = (writer, tensor) => ({ values: writer.tensor(tensor), zero: undefined });

// The bits of x + 128 are those of x with the highest one flipped.
const unsigned: ReadIntegers = (writer, tensor) => {
  const middle = zeroByte(writer);
  const values = writer.add("BitwiseXor", [writer.cast(writer.tensor(tensor), "uint8"), middle]);
  return { values, zero: middle };
};

/** Writes the zero point of unsigned bytes. */
function zeroByte(writer: NodeWriter): string {
  return writer.constant("byte of zero", { dtype: "uint8", dims: [], data: Uint8Array.of(128) });
}

/** Writes x, rounded to 8 bits with one scale per row, times integers with a scale per column. */
function rowProduct(writer: NodeWriter, x: string, integers: Integers, columns?: string): string {
  const one = scalar(writer, "one", 1);
  const { rounded = "", scale = "" } = writer.once(`rows of ${x}`, () => roundedRows(writer, x));
  const inputs = [rounded, integers.values, one, columns ?? one, zeroByte(writer), integers.zero ?? ""];
  while (inputs.at(-1) === "") inputs.pop();
  return writer.add("Mul", [writer.add("MatMulIntegerToFloat", inputs, {}, "com.microsoft"), scale]);
}

/** Writes the rows of x as bytes with zero point 128, and their scales as a column. */
function roundedRows(writer: NodeWriter, x: string): Named<string> {
  const scale = stepOf(writer, x, 1);
  const zeros = writer.add("Expand", [zeroByte(writer), writer.add("Shape", [scale])]);
  const rounded = writer.add("QuantizeLinear", [x, scale, zeros], { axis: int(0) });
  return { rounded, scale: writer.reshape(scale, [-1, 1]) };
}

/** Writes the step along an axis of a matrix, of which 127 make the largest magnitude. */
function stepOf(writer: NodeWriter, x: string, along: 0 | 1): string {
  const axes = writer.constant(`axis ${along}`, { dtype: "int64", dims: [1], data: BigInt64Array.of(BigInt(along)) });
  const keepdims = int(0);
  const [most = "", least = ""] = ["ReduceMax", "ReduceMin"].map((op) => writer.add(op, [x, axes], { keepdims }));
  const largest = writer.add("Max", [most, writer.add("Neg", [least])]);
  // Values that are all zero need a positive step, too.
  return writer.add("Max", [writer.add("Div", [largest, scalar(writer, "127", 127)]), scalar(writer, "tiny", 1e-30)]);
}

/** Writes x, rounded to 8 bits with one scale, times integers with a scale per column. */
function tensorProduct(writer: NodeWriter, x: string, { values, zero }: Integers, columns: string): string {
  const inputs = [x, values, columns, ...(zero === undefined ? [] : [zero])];
  return writer.add("DynamicQuantizeMatMul", inputs, {}, "com.microsoft");
}

function scalar(writer: NodeWriter, name: string, value: number): string {
  return writer.constant(name, { dtype: "float32", dims: [], data: Float32Array.of(value) });
}
