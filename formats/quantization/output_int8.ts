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

/** ONNX's number of int8. */
const INT8 = 3;

const int = (value: number): NodeAttribute => ({ type: "int", value });

/** How such weights are stored and computed with. */
export function outputInt8({ forward, backward, activationScale }: OutputInt8): WeightFormat {
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
      const y = forward === "float32"
        ? writer.add("Mul", [product(writer, x, 0), writer.tensor("scales")])
        : activationScale === "row"
        ? rowProduct(writer, x, writer.tensor("codes"), writer.tensor("scales"))
        : writer.add(
          "DynamicQuantizeMatMul",
          [x, writer.tensor("codes"), writer.tensor("scales")],
          {},
          "com.microsoft",
        );
      return bias === undefined ? y : writer.add("Add", [y, bias]);
    },
    // The scales are the outputs': they go into dy.
    writeTransposedProduct: (writer, dy) => {
      const scaled = writer.add("Mul", [dy, writer.tensor("scales")]);
      return backward === "float32" ? product(writer, scaled, 1) : rowProduct(writer, scaled, writer.tensor("rows"));
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

/** x in int8, with one scale per row, times integers with a scale per column. */
function rowProduct(writer: NodeWriter, x: string, integers: string, columns?: string): string {
  const scalar = (name: string, value: number): string =>
    writer.constant(name, { dtype: "float32", dims: [], data: Float32Array.of(value) });
  const one = scalar("one", 1);
  const last = writer.constant("last axis", { dtype: "int64", dims: [1], data: BigInt64Array.of(-1n) });
  const most = writer.add("ReduceMax", [writer.add("Abs", [x]), last], { keepdims: int(0) });
  // A row of zeros has a scale, too.
  const scale = writer.add("Max", [writer.add("Mul", [most, scalar("1/127", 1 / 127)]), scalar("tiny", 1e-30)]);
  const rounded = writer.add("QuantizeLinear", [x, scale], { axis: int(0), output_dtype: int(INT8) });
  const y = writer.add("MatMulIntegerToFloat", [rounded, integers, one, columns ?? one], {}, "com.microsoft");
  return writer.add("Mul", [y, writer.reshape(scale, [-1, 1])]);
}
