/** Rows of a base's tensors, read in blocks. */
import { releaseBuffer } from "../../../core/base/bytes.ts";
import { missing, show } from "../../../core/base/errors.ts";
import { fromFloat32, type TensorForm, toFloat32, viewOf } from "../../../core/files/safetensors.ts";
import { bytesPerElement, type DType, sizeOf, type Tensor } from "../../../core/base/tensor.ts";
import type { Weights } from "../../../core/types.ts";

/** The approximate number of bytes that are read and computed at once. */
const BLOCK = 2 ** 18;

/** A stored tensor as rows. */
export type Rows = Readonly<
  { dtype: DType; columns: number; blocks(): AsyncIterable<Readonly<{ values: Float32Array; firstRow: number }>> }
>;

/** Presents a tensor in memory as rows. */
export function rowsInMemory({ data }: Tensor<Float32Array>, { dtype, dims }: TensorForm): Rows {
  const columns = dims.at(-1) ?? 1;
  return {
    dtype,
    columns,
    blocks: async function* () {
      yield { values: data.slice(), firstRow: 0 };
    },
  };
}

/** Returns the dtype and dims of a base's tensor in the merged file: integers with scales become floats. */
export function formOf(base: Weights, name: string): TensorForm {
  const stored = base.locate(name);
  if (!stored) throw missing("merge", `tensor ${show(name)}`, "the base");
  return { dtype: base.part?.(name) ? stored.dtype : "float32", dims: stored.dims };
}

/** Reads the bytes of a tensor as they are stored, in blocks. */
export async function* bytesOf(base: Weights, name: string, { dtype, dims }: TensorForm): AsyncIterable<Uint8Array> {
  const part = base.part?.(name);
  if (!part) return yield fromFloat32((await base.read(name)).data, dtype);
  const total = sizeOf(dims) * bytesPerElement[dtype];
  for (let at = 0; at < total; at += BLOCK) yield await part(at, Math.min(BLOCK, total - at));
}

/** Reads a tensor's rows in blocks that the caller may change; a bias is one row. */
export function rowsOf(base: Weights, name: string, { dtype, dims }: TensorForm, owned: boolean): Rows {
  const columns = dims.at(-1) ?? 1;
  const rows = sizeOf(dims) / columns;
  const each = columns * bytesPerElement[dtype];
  const most = Math.max(1, Math.floor(BLOCK / each));
  return {
    dtype,
    columns,
    blocks: async function* () {
      const part = base.part?.(name);
      const all = part ? undefined : (await base.read(name)).data;
      for (let firstRow = 0; firstRow < rows; firstRow += most) {
        const count = Math.min(most, rows - firstRow);
        const bytes = part && await part(firstRow * each, count * each);
        const values = bytes
          ? toFloat32({ dtype, dims: [count, columns], data: viewOf(dtype, bytes) }).data
          : all?.subarray(firstRow * columns, (firstRow + count) * columns) ?? new Float32Array();
        if (bytes && owned && dtype !== "float32") releaseBuffer(bytes);
        // The store may still use the bytes that it returned.
        yield { values: dtype === "float32" && !(bytes && owned) ? values.slice() : values, firstRow };
      }
    },
  };
}
