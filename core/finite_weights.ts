/**
 * Looking at weights once, before they are computed with: that there are some, and that all of them are numbers.
 * @module
 */
import { badFile, show } from "./errors.ts";
import { openSafetensors, weightFiles } from "./safetensors.ts";
import type { DType } from "./tensor.ts";
import type { Store } from "./types.ts";

/** Bytes that are looked at at once. */
const PIECE = 4 * 2 ** 20;

/** Exponents of all ones are infinities and NaN: the type's words, and where of a word the exponent is. */
const exponents: Readonly<Partial<Record<DType, Readonly<{ bytes: 2 | 4; mask: number }>>>> = {
  float16: { bytes: 2, mask: 0x7c00 },
  bfloat16: { bytes: 2, mask: 0x7f80 },
  float32: { bytes: 4, mask: 0x7f800000 },
};

/**
 * Looks at every value of a safetensors file.
 *
 * @throws AttuneError that names file and tensor where one is not finite, and the file where it has no tensors.
 */
export async function checkFinite(store: Store, key: string): Promise<void> {
  const file = await openSafetensors(store, key);
  if (file.names.length === 0) throw badFile("safetensors", key, "has no tensors");
  for (const name of file.names) {
    const { dtype, bytes } = file.locate(name);
    const how = exponents[dtype];
    if (!how) continue;
    for (let at = 0; at < bytes; at += PIECE) {
      const piece = await file.part(name, at, Math.min(PIECE, bytes - at));
      if (!allFinite(piece, how)) {
        throw badFile("safetensors", key, `has a value in tensor ${show(name)} that is not finite`);
      }
    }
  }
}

/** The same of all files of a model. */
export async function checkFiniteModel(store: Store): Promise<void> {
  for (const key of (await weightFiles(store)).files) await checkFinite(store, key);
}

function allFinite(piece: Uint8Array, { bytes, mask }: Readonly<{ bytes: number; mask: number }>): boolean {
  const own = piece.byteOffset % 4 === 0 ? piece : piece.slice();
  if (bytes === 2) {
    const words = new Uint16Array(own.buffer, own.byteOffset, own.length >> 1);
    for (const word of words) if ((word & mask) === mask) return false;
    return true;
  }
  // Of eight bytes the upper four hold the exponent.
  const words = new Uint32Array(own.buffer, own.byteOffset, own.length >> 2);
  const step = bytes / 4;
  for (let i = step - 1; i < words.length; i += step) if (((words[i] ?? 0) & mask) === mask) return false;
  return true;
}
