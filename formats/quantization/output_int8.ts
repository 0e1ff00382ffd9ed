/**
 * Weights as int8 with a scale per output, multiplied in int8 or as float32.
 *
 *     w[o, i] = scale[o] · code[o, i]        codes stand turned, [in, out]: so products read them
 *
 * Tensors: `codes` int8 [in, out], `scales` float32 [out]; where gradients are multiplied in int8 too, `rows` int8 [out, in].
 * @module
 */
import { quantizeInt8 } from "../../core/int8.ts";
import type { MatrixDims, Named, NodeAttribute, NodeWriter, Tensor, WeightFormat } from "../../core/types.ts";

/**
 * How products are computed. In int8, activations (and gradients) are rounded to it with one scale per row, or activations
 * with one for all of them.
 */
export type OutputInt8 = Readonly<{
  forward: "int8" | "float32";
  backward: "int8" | "float32";
  activationScale: "row" | "tensor";
}>;

/** How far a product in int8 may be from the exact one, of the largest. */
const ROUNDED = 3e-2;

const int = (value: number): NodeAttribute => ({ type: "int", value });

/**
 * How such weights are stored and computed with. Products read activations as bytes without a sign, of which zero is 128:
 * that is what processors multiply with signed codes. Where ONNX Runtime adds such products up in 16 bits (x86 without
 * VNNI), codes become bytes without a sign, too, right before: its other kernel is exact.
 */
export function outputInt8(options: OutputInt8): WeightFormat {
  return { ...formatOver(options, signed), otherwise: formatOver(options, unsigned) };
}

function formatOver({ forward, backward, activationScale }: OutputInt8, integersOf: ReadIntegers): WeightFormat {
  const how = forward === "float32"
    ? []
    : [activationScale === "row" ? "products in int8" : "products in int8 with one scale"];
  return {
    label: ["int8", ...how, ...(backward === "int8" ? ["gradients in int8"] : [])].join(", "),
    ...(forward === "int8" || backward === "int8"
      ? {
        tolerance: {
          ...(forward === "int8" ? { product: ROUNDED } : {}),
          ...(backward === "int8" ? { transposedProduct: ROUNDED } : {}),
        },
      }
      : {}),
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
    writeProduct: (writer, { x, bias }) => {
      const scales = writer.tensor("scales");
      const y = forward === "float32"
        ? writer.add("Mul", [product(writer, x, 0), scales])
        : activationScale === "row"
        ? rowProduct(writer, x, integersOf(writer, "codes"), scales)
        : tensorProduct(writer, x, integersOf(writer, "codes"), scales);
      return bias === undefined ? y : writer.add("Add", [y, bias]);
    },
    // The scales are the outputs': they go into dy.
    writeTransposedProduct: (writer, dy) => {
      const scaled = writer.add("Mul", [dy, writer.tensor("scales")]);
      return backward === "float32"
        ? product(writer, scaled, 1)
        : rowProduct(writer, scaled, integersOf(writer, "rows"));
    },
  };
}

/** The codes of a weight [out, in]; its values have to be finite. */
export function encodeInt8(
  values: Float32Array,
  [outputs, inputs]: MatrixDims,
  { backward }: Pick<OutputInt8, "backward">,
): Named<Tensor> {
  const { values: rows, scale } = quantizeInt8({ dtype: "float32", dims: [outputs, inputs], data: values });
  const codes = Int8Array.from(
    rows.data,
    (_, k) => rows.data[(k % outputs) * inputs + Math.floor(k / outputs)] as number,
  );
  return {
    codes: { dtype: "int8", dims: [inputs, outputs], data: codes },
    scales: scale,
    ...(backward === "int8" ? { rows } : {}),
  };
}

function at(tensor: Tensor | undefined, i: number): number {
  return Number(tensor?.data[i]);
}

/** x times the codes as float32, or times them turned. */
function product(writer: NodeWriter, x: string, transB: 0 | 1): string {
  return writer.add("Gemm", [x, writer.cast(writer.tensor("codes"), "float32")], { transB: int(transB) });
}

/** The integers of a weight as products take them. `zero`: what stands for zero, where that is not 0. */
type Integers = Readonly<{ values: string; zero: string | undefined }>;
type ReadIntegers = (writer: NodeWriter, tensor: string) => Integers;

const signed: ReadIntegers = (writer, tensor) => ({ values: writer.tensor(tensor), zero: undefined });

// The bits of x + 128 are those of x with the first one turned.
const unsigned: ReadIntegers = (writer, tensor) => {
  const middle = zeroByte(writer);
  const values = writer.add("BitwiseXor", [writer.cast(writer.tensor(tensor), "uint8"), middle]);
  return { values, zero: middle };
};

/** What stands for zero among bytes without a sign. */
function zeroByte(writer: NodeWriter): string {
  return writer.constant("byte of zero", { dtype: "uint8", dims: [], data: Uint8Array.of(128) });
}

/** x in 8 bits, with one scale per row, times integers with a scale per column. */
function rowProduct(writer: NodeWriter, x: string, integers: Integers, columns?: string): string {
  const one = scalar(writer, "one", 1);
  const [rounded = "", scale = ""] = writer.once(`rows of ${x}`, () => roundedRows(writer, x));
  const inputs = [rounded, integers.values, one, columns ?? one, zeroByte(writer), integers.zero ?? ""];
  while (inputs.at(-1) === "") inputs.pop();
  return writer.add("Mul", [writer.add("MatMulIntegerToFloat", inputs, {}, "com.microsoft"), scale]);
}

/** The rows of x as bytes whose zero is 128, and what each of them counts by, as a column. */
function roundedRows(writer: NodeWriter, x: string): readonly string[] {
  const last = writer.constant("last axis", { dtype: "int64", dims: [1], data: BigInt64Array.of(-1n) });
  const keepdims = int(0);
  const [most, least] = ["ReduceMax", "ReduceMin"].map((op) => writer.add(op, [x, last], { keepdims }));
  const largest = writer.add("Max", [most ?? "", writer.add("Neg", [least ?? ""])]);
  // A row of zeros has a scale, too.
  const scale = writer.add("Max", [
    writer.add("Mul", [largest, scalar(writer, "1/127", 1 / 127)]),
    scalar(writer, "tiny", 1e-30),
  ]);
  const zeros = writer.add("Expand", [zeroByte(writer), writer.add("Shape", [scale])]);
  return [writer.add("QuantizeLinear", [x, scale, zeros], { axis: int(0) }), writer.reshape(scale, [-1, 1])];
}

/** x in 8 bits with one scale, times integers with a scale per column. */
function tensorProduct(writer: NodeWriter, x: string, { values, zero }: Integers, columns: string): string {
  const inputs = [x, values, columns, ...(zero === undefined ? [] : [zero])];
  return writer.add("DynamicQuantizeMatMul", inputs, {}, "com.microsoft");
}

function scalar(writer: NodeWriter, name: string, value: number): string {
  return writer.constant(name, { dtype: "float32", dims: [], data: Float32Array.of(value) });
}
