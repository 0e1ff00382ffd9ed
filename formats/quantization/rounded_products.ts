/**
 * Products whose operands and results are rounded to 16 bits, as bitsandbytes computes if its dtype is not float32.
 */
import type { MatrixDims, NodeWriter, WeightFormat } from "../../core/types.ts";

/** Tolerances of such products by dtype, relative to the largest value in float32. */
const tolerances = { float16: 2e-3, bfloat16: 2e-2 };

/** Returns the products of a format, computed in a 16-bit dtype. */
export function roundedProducts(
  format: Pick<WeightFormat, "writeDecoded">,
  dtype: "float16" | "bfloat16",
): Pick<WeightFormat, "writeProduct" | "writeTransposedProduct" | "tolerance"> {
  const rounded = (writer: NodeWriter, x: string): string => writer.cast(writer.cast(x, dtype), "float32");
  const product = (writer: NodeWriter, operands: readonly string[], transposed: boolean, dims: MatrixDims): string => {
    const [x = "", ...bias] = operands.map((name) => rounded(writer, name));
    const weight = rounded(writer, format.writeDecoded(writer, dims));
    const transB = { type: "int" as const, value: transposed ? 1 : 0 };
    return rounded(writer, writer.add("Gemm", [x, weight, ...bias], { transB }));
  };
  return {
    tolerance: { product: tolerances[dtype], transposedProduct: tolerances[dtype] },
    writeProduct: (writer, { x, bias }, dims) => product(writer, bias === undefined ? [x] : [x, bias], true, dims),
    writeTransposedProduct: (writer, dy, dims) => product(writer, [dy], false, dims),
  };
}
