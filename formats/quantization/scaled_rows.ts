/**
 * Weights in 8 bits with the largest magnitude of each output, as bitsandbytes stores them and sessions keep them.
 *
 *     w[o, i] = (codes[o, i] · scales[o]) / 127        each operation rounded to float32, the division as a product
 *
 * Tensors: `codes` int8 [out, in]; `scales` float32 [out].
 */
import type { WeightFormat } from "../../core/types.ts";

/** 1/127, by which the library multiplies. */
const SHARE = Math.fround(7.874015718698502e-3);

/** The format in which sessions store such weights: they are decoded right before each product. */
export const scaledRows: WeightFormat = {
  label: "int8, one scale per output",
  bytes: ([outputs, inputs]) => outputs * inputs + 4 * outputs,
  decodingBytes: ([outputs, inputs]) => 8 * outputs * inputs,
  decode: (tensors, [, inputs]) => {
    const [codes, scales] = [tensors.codes?.data as Int8Array, tensors.scales?.data as Float32Array];
    return Float32Array.from(
      codes,
      (code, i) => Math.fround(code * (scales[Math.floor(i / inputs)] as number)) * SHARE,
    );
  },
  writeDecoded: (writer, [outputs]) => {
    const scales = writer.reshape(writer.tensor("scales"), [outputs, 1]);
    const scaled = writer.add("Mul", [writer.cast(writer.tensor("codes"), "float32"), scales]);
    const share = writer.constant("1/127", { dtype: "float32", dims: [], data: Float32Array.of(SHARE) });
    return writer.add("Mul", [scaled, share]);
  },
};
