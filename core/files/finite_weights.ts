/**
 * Checks of weight files before they are used: that there are tensors, that all values are finite, and that they match
 * the digest in the file's metadata, if there is one.
 */
import { copyBytes } from "../base/bytes.ts";
import { badFile, show } from "../base/errors.ts";
import { weightKeys } from "./gguf_folder.ts";
import { digestedPieces } from "../base/sha256.ts";
import { openSafetensors, type SafetensorsFile, writeSafetensors } from "./safetensors.ts";
import type { DType, Tensor } from "../base/tensor.ts";
import type { Named, Store } from "../types.ts";

/** Bytes that are checked at a time. */
const PIECE = 4 * 2 ** 20;

/**
 * The metadata key of the digest over all bytes after a file's header: SHA-256 over the SHA-256 of each 4 MiB. It also
 * reveals damage to integers, which have no invalid values.
 */
export const DIGEST_IN_METADATA = "attune_sha256";

/** An exponent of all ones means infinity or NaN: for each dtype, the bytes of a word and the exponent's mask in it. */
const exponents: Readonly<Partial<Record<DType, Readonly<{ bytes: 2 | 4; mask: number }>>>> = {
  float16: { bytes: 2, mask: 0x7c00 },
  bfloat16: { bytes: 2, mask: 0x7f80 },
  float32: { bytes: 4, mask: 0x7f800000 },
};

/** A fault of a weight file; `problem` continues a sentence that starts with the file's name. */
export type WeightFault = Readonly<{ code: "no_tensors" | "non_finite" | "damaged"; problem: string }>;

/** Checks every value of a weight file. Throws AttuneError if it is not a weight file, or changes meanwhile. */
export async function faultOfWeights(store: Store, key: string): Promise<WeightFault | undefined> {
  if (/\.gguf$/i.test(key)) return await faultOfGguf(store, key);
  const file = await openSafetensors(store, key);
  if (file.names.length === 0) return { code: "no_tensors", problem: "has no tensors" };
  let wrong: string | undefined;
  // Some libraries store quantized codes under a float dtype, where any bits are valid.
  const packed = new Set(file.names.flatMap((name) => /^(.+)\.quant_state\.\w+$/.exec(name)?.[1] ?? []));
  const isCode = (name: string): boolean => packed.has(name) || name.endsWith(".W_q");
  const looked = async function* (): AsyncGenerator<Uint8Array> {
    for await (const { name, piece } of piecesOf(file)) {
      if (isCode(name) || allFinite(file.locate(name).dtype, piece)) yield piece;
      else return void (wrong = name);
    }
  };
  const due = file.metadata.get(DIGEST_IN_METADATA);
  const { pieces, digest } = due === undefined ? { pieces: looked(), digest: undefined } : digestedPieces(looked());
  for await (const _ of pieces);
  if (wrong !== undefined) {
    return { code: "non_finite", problem: `has a value in tensor ${show(wrong)} that is not finite` };
  }
  const actual = await digest?.();
  if (actual === due) return undefined;
  const message = `its metadata has ${DIGEST_IN_METADATA} ${show(due)}, but its tensors have ${show(actual)}`;
  return { code: "damaged", problem: `is damaged, or was changed without updating its metadata: ${message}` };
}

/**
 * Checks every value of a weight file.
 *
 * @throws AttuneError that names the file and the tensor if a value is not finite, and the file if it has no tensors or
 * does not match its digest.
 */
export async function checkFinite(store: Store, key: string): Promise<void> {
  const fault = await faultOfWeights(store, key);
  if (fault) throw badFile("safetensors", key, fault.problem);
}

/** Checks every value of all weight files of a model. */
export async function checkFiniteModel(store: Store): Promise<void> {
  for (const key of await weightKeys(store)) await checkFinite(store, key);
}

/**
 * Writes a safetensors file, as `writeSafetensors` does, with the digest of the tensors' bytes in its metadata.
 */
export async function writeDigested(tensors: Named<Tensor>, metadata: Named<string>): Promise<Uint8Array> {
  const { pieces, digest } = digestedPieces(dataOf(tensors));
  for await (const _ of pieces);
  return writeSafetensors(tensors, { ...metadata, [DIGEST_IN_METADATA]: await digest() });
}

async function* dataOf(tensors: Named<Tensor>): AsyncGenerator<Uint8Array> {
  for (const { data } of Object.values(tensors)) yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Reads the bytes of a file's tensors in file order, in pieces that do not span tensors. */
async function* piecesOf(file: SafetensorsFile): AsyncGenerator<Readonly<{ name: string; piece: Uint8Array }>> {
  const placed = file.names.map((name) => ({ name, ...file.locate(name) }));
  for (const { name, bytes } of placed.sort((a, b) => a.offset - b.offset)) {
    for (let at = 0; at < bytes; at += PIECE) {
      yield { name, piece: await file.part(name, at, Math.min(PIECE, bytes - at)) };
    }
  }
}

/** Checks every value of a GGUF file, whose tensors are decoded one at a time. */
async function faultOfGguf(store: Store, key: string): Promise<WeightFault | undefined> {
  const { openGguf } = await import("../gguf/file.ts");
  const { tensors, read } = await openGguf(store, key);
  if (tensors.size === 0) return { code: "no_tensors", problem: "has no tensors" };
  for (const name of tensors.keys()) {
    if ((await read(name)).data.every((value) => Number.isFinite(value))) continue;
    return { code: "non_finite", problem: `has a value in tensor ${show(name)} that is not finite` };
  }
  return undefined;
}

/** Whether all values in some of a tensor's bytes are finite as float32. */
export function allFinite(dtype: DType, piece: Uint8Array): boolean {
  // Computation is in float32, which overflows for the largest float64 values.
  if (dtype === "float64") {
    return new Float64Array(copyBytes(piece).buffer).every((x) => Number.isFinite(Math.fround(x)));
  }
  const how = exponents[dtype];
  if (!how) return true;
  const aligned = piece.byteOffset % how.bytes === 0 ? piece : copyBytes(piece);
  const { buffer, byteOffset, length } = aligned;
  const { bytes, mask } = how;
  const words = bytes === 2
    ? new Uint16Array(buffer, byteOffset, length / 2)
    : new Uint32Array(buffer, byteOffset, length / 4);
  for (const word of words) if ((word & mask) === mask) return false;
  return true;
}
