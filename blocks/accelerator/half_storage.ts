/** Storage of frozen weights in 16 bits; products that read them round to 16 bits anyway. */
import { fromFloat32, toFloat32, viewOf } from "../../core/files/safetensors.ts";
import type { WeightFormat, WeightStorage } from "../../core/types.ts";
import type { Half } from "./autocast.ts";

const formatOf = (dtype: Half): WeightFormat => ({
  label: dtype,
  // Not every runtime can feed 16-bit tensors.
  constants: ["values"],
  bytes: ([outputs, inputs]) => 2 * outputs * inputs,
  decodingBytes: () => 0,
  decode: ({ values }, dims) => toFloat32({ dtype, dims, data: values?.data ?? viewOf(dtype, new Uint8Array(0)) }).data,
  writeDecoded: (writer) => writer.cast(writer.tensor("values"), "float32"),
});

const formats: Readonly<Record<Half, WeightFormat>> = {
  float16: formatOf("float16"),
  bfloat16: formatOf("bfloat16"),
};

/** Stores weights rounded to the nearest 16-bit value. */
export function halfStorage(dtype: Half): WeightStorage {
  return {
    format: formats[dtype],
    encode: (values, { dims }) => ({ values: { dtype, dims, data: viewOf(dtype, fromFloat32(values, dtype)) } }),
  };
}
