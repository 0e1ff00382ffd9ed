import { define, type WeightFormat } from "attune/kit";
import * as v from "valibot";

/** Whole numbers and one size for each output: products are computed from what is decoded. */
const format: WeightFormat = {
  label: "levels per output",
  bytes: ([outputs, inputs]) => outputs * inputs + 4 * outputs,
  decodingBytes: ([outputs, inputs]) => 4 * outputs * inputs,
  decode: ({ codes, sizes }, [, inputs]) =>
    Float32Array.from(codes?.data as Int8Array, (code, i) => code * Number(sizes?.data[Math.floor(i / inputs)])),
  writeDecoded: (writer) => writer.add("Mul", [writer.cast(writer.tensor("codes"), "float32"), writer.tensor("sizes")]),
};

/** Frozen weights in a few equal steps of each output. */
export const levels = define({
  kind: "accelerator",
  name: "levels",
  schema: v.strictObject({ most: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(127)), 7) }),
  create: ({ most }) => ({
    exact: false,
    needsFrozenWeights: true,
    store: ({ dims: [outputs, inputs] }) => ({
      format,
      encode: (values) => {
        const codes = new Int8Array(values.length);
        const sizes = new Float32Array(outputs);
        for (let o = 0; o < outputs; o++) {
          const row = values.subarray(o * inputs, (o + 1) * inputs);
          const size = row.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0) / most || 1;
          sizes[o] = size;
          row.forEach((x, i) => (codes[o * inputs + i] = Math.round(x / size)));
        }
        return {
          codes: { dtype: "int8", dims: [outputs, inputs], data: codes },
          sizes: { dtype: "float32", dims: [outputs, 1], data: sizes },
        };
      },
    }),
  }),
});
