/** Repacking of a merged model's weights in the base's layout, one at a time. */
import { badFile, missing, show, unsupported } from "../../../core/base/errors.ts";
import { type TensorForm, viewOf } from "../../../core/files/safetensors.ts";
import { transposeMatrix } from "../../../core/math/transpose.ts";
import type { Named, Weights } from "../../../core/types.ts";
import type { PackedWeights } from "../../packed/open.ts";
import type { PackedWeight } from "../../packed/packed_weight.ts";
import type { MergedModel } from "./into_base.ts";
import { bytesOf, formOf } from "./stored_rows.ts";

/** A base as it is stored. `isTransposed`: whether the model has a packed weight as [in, out]. */
export type PackedBase =
  & PackedWeights
  & Readonly<{ label: string; weights: Weights; isTransposed(stored: string): boolean }>;

/** A weight of the merged model that is packed in the base. */
type Repacked = Readonly<{ name: string; stored: string; weight: PackedWeight; changed: boolean }>;

/**
 * Packs every weight of a merged model that is packed in the base: those that the adapter changes by the library's
 * quantizer, the others as they are stored.
 *
 * @throws AttuneError with the method's name if repacking is not supported for a changed weight's layout.
 */
export function requantized(merged: MergedModel, base: PackedBase): MergedModel {
  const forms: Record<string, TensorForm> = Object.create(null);
  const pieces = new Map<string, () => AsyncIterable<Uint8Array>>();
  for (const [name, form] of Object.entries(merged.forms)) {
    const { stored = "", changed = false } = merged.origin?.(name) ?? {};
    const weight = base.packed.get(stored);
    if (weight) addParts(forms, pieces, { name, stored, weight, changed }, merged, base);
    else {
      forms[name] = form;
      pieces.set(name, () => merged.pieces(name));
    }
  }
  return {
    ...merged,
    forms,
    pieces: async function* (name) {
      const read = pieces.get(name);
      if (!read) throw missing("merge", `tensor ${show(name)}`, "the merged model");
      yield* read();
    },
  };
}

/** Returns the names of the weights that are repacked with changed values. */
export function repackedNames(merged: MergedModel, { packed }: Pick<PackedBase, "packed">): readonly string[] {
  return Object.keys(merged.forms).filter((name) => {
    const { stored = "", changed = false } = merged.origin?.(name) ?? {};
    return changed && packed.has(stored);
  });
}

/** Reads the values [out, in] of a packed weight in the merged model. */
export async function mergedValues(
  merged: MergedModel,
  base: Pick<PackedBase, "isTransposed">,
  name: string,
): Promise<Float32Array> {
  const [rows = 0, columns = 0] = merged.forms[name]?.dims ?? [];
  const bytes = new Uint8Array(4 * rows * columns);
  let at = 0;
  for await (const piece of merged.pieces(name)) {
    bytes.set(piece, at);
    at += piece.length;
  }
  const values = viewOf("float32", bytes) as Float32Array;
  return base.isTransposed(merged.origin?.(name).stored ?? "") ? transposeMatrix(values, rows, columns) : values;
}

function addParts(
  forms: Record<string, TensorForm>,
  pieces: Map<string, () => AsyncIterable<Uint8Array>>,
  { name, stored, weight, changed }: Repacked,
  merged: MergedModel,
  base: PackedBase,
): void {
  const { repack } = weight;
  if (changed && !repack) {
    const allowed = "--requantize supports nf4, fp4 and int8 of bitsandbytes, and hqq, in their usual layouts";
    throw unsupported("merge", `${base.label}: ${stored}`, base.method, allowed);
  }
  const module = (weightName: string): string => weightName.slice(0, -".weight".length);
  let known: Promise<Named<Uint8Array>> | undefined;
  const packed = async (): Promise<Named<Uint8Array>> => {
    const values = await mergedValues(merged, base, name);
    if (!values.every(Number.isFinite)) throw badFile("merge", name, "has a value that is not finite once merged");
    return await repack?.pack(values) ?? {};
  };
  weight.parts.forEach((part, i) => {
    const out = module(name) + part.slice(module(stored).length);
    const old = formOf(base.weights, part);
    forms[out] = (changed ? repack?.forms?.[part] : undefined) ?? old;
    pieces.set(out, async function* () {
      const tensor = changed ? (await (known ??= packed()))[part] : undefined;
      // The parts are read one after another, so the tensors can be freed after the last one.
      if (i === weight.parts.length - 1) known = undefined;
      if (tensor) yield tensor;
      else yield* bytesOf(base.weights, part, old);
    });
  });
}
