/** Writing of safetensors files, at once or tensor by tensor. */
import { badFile, show } from "../base/errors.ts";
import { dtypeCodes, MAX_HEADER } from "./safetensors_header.ts";
import { bytesPerElement, sizeOf, type Tensor } from "../base/tensor.ts";
import type { Named } from "../types.ts";

/** A tensor's dtype and dims, without its values. */
export type TensorForm = Pick<Tensor, "dtype" | "dims">;

const torch: Named<string> = { format: "pt" };

/**
 * Returns the bytes of a safetensors file of tensors in the given order, its header padded to a multiple of 8 bytes.
 *
 * @throws AttuneError (`BAD_FILE`) if values do not fit a tensor's dims or a name cannot be written.
 * @example
 * ```ts
 * import { f32, writeSafetensors } from "attune";
 * console.assert(writeSafetensors({ x: f32([1], [0.5]) }).length % 4 === 0);
 * ```
 */
export function writeSafetensors(tensors: Named<Tensor>, metadata: Named<string> = torch): Uint8Array {
  const { head, total } = headerOf(tensors, metadata);
  const out = new Uint8Array(head.length + total);
  out.set(head);
  let at = head.length;
  for (const [name, tensor] of Object.entries(tensors)) {
    out.set(bytesOf(name, tensor, tensor), at);
    at += tensor.data.byteLength;
  }
  return out;
}

/**
 * Yields the same file in pieces, for stores that take streams: `read` is called for one tensor at a time, so that the
 * whole model need not be in memory; for a large tensor it may return the bytes in pieces.
 *
 * @throws AttuneError (`BAD_FILE`) if a tensor does not have the dtype and dims in `forms`.
 * @example
 * ```ts
 * import { f32, streamSafetensors } from "attune";
 * let bytes = 0;
 * for await (const part of streamSafetensors({ x: f32([2], [1, 2]) }, () => f32([2], [1, 2]))) bytes += part.length;
 * console.assert(bytes > 8);
 * ```
 */
export async function* streamSafetensors(
  forms: Named<TensorForm>,
  read: (name: string) => Tensor | AsyncIterable<Uint8Array> | Promise<Tensor>,
  metadata: Named<string> = torch,
): AsyncIterable<Uint8Array> {
  yield headerOf(forms, metadata).head;
  for (const [name, form] of Object.entries(forms)) {
    const tensor = await read(name);
    if (!(Symbol.asyncIterator in tensor)) {
      yield bytesOf(name, form, tensor);
      continue;
    }
    let left = sizeOf(form.dims) * bytesPerElement[form.dtype];
    for await (const piece of tensor) {
      left -= piece.length;
      if (left >= 0) yield piece;
    }
    if (left !== 0) throw badFile("safetensors", name, `came with ${-left} bytes too many`);
  }
}

/** Returns the size of the file in bytes. Throws as `streamSafetensors` does. */
export function safetensorsSize(forms: Named<TensorForm>, metadata: Named<string> = torch): number {
  const { head, total } = headerOf(forms, metadata);
  return head.length + total;
}

function headerOf(forms: Named<TensorForm>, metadata: Named<string>): { head: Uint8Array; total: number } {
  // Built as text, because an object would lose a tensor named __proto__.
  const members = [`"__metadata__":${JSON.stringify(metadata)}`];
  let total = 0;
  for (const [name, { dtype, dims }] of Object.entries(forms)) {
    if (name === "__metadata__" || /\p{Surrogate}|\0/u.test(name)) {
      throw badFile("safetensors", show(name), "cannot be the name of a tensor");
    }
    const bytes = sizeOf(dims) * bytesPerElement[dtype];
    const info = { dtype: dtypeCodes[dtype], shape: dims, data_offsets: [total, total + bytes] };
    members.push(`${JSON.stringify(name)}:${JSON.stringify(info)}`);
    total += bytes;
  }
  const json = new TextEncoder().encode(`{${members.join(",")}}`);
  const length = Math.ceil(json.length / 8) * 8;
  if (length > MAX_HEADER) throw badFile("safetensors", "header", `takes ${length} bytes; at most ${MAX_HEADER}`);
  const head = new Uint8Array(8 + length).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(length), true);
  head.set(json, 8);
  return { head, total };
}

function bytesOf(name: string, form: TensorForm, { dtype, dims, data }: Tensor): Uint8Array {
  const due = sizeOf(form.dims) * bytesPerElement[form.dtype];
  if (dtype !== form.dtype || dims.join() !== form.dims.join() || data.byteLength !== due) {
    const description = `${dtype} [${dims}] in ${data.byteLength} bytes`;
    throw badFile("safetensors", name, `is ${description} where ${form.dtype} [${form.dims}] in ${due} was expected`);
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
