/** A merged model whose weights are packed again in the layout in which the base has them, one at a time. */
import { badFile, missing, show, unsupported } from "../../../core/base/errors.ts";
import { type TensorForm, viewOf } from "../../../core/files/safetensors.ts";
import { transposeMatrix } from "../../../core/math/transpose.ts";
import type { Named, Weights } from "../../../core/types.ts";
import type { PackedWeights } from "../../packed/open.ts";
import type { PackedWeight } from "../../packed/packed_weight.ts";
import type { MergedModel } from "./into_base.ts";
import { bytesOf, formOf } from "./stored_rows.ts";

/** A base as its files have it. `turned`: whether the model has a packed weight as [in, out]. */
export type PackedBase =
  & PackedWeights
  & Readonly<{ label: string; weights: Weights; turned(stored: string): boolean }>;

/** A weight of the merged model that the base has packed. */
type Repacked = Readonly<{ name: string; stored: string; weight: PackedWeight; changed: boolean }>;

/**
 * The merged model with every weight packed that the base has packed: what the adapter changes by the library's quantizer,
 * the others as they are stored.
 *
 * @throws AttuneError with the method's name, where a changed weight's layout is not one that is packed again.
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

/** The names of the weights that are packed again with other values. */
export function repackedNames(merged: MergedModel, { packed }: Pick<PackedBase, "packed">): readonly string[] {
  return Object.keys(merged.forms).filter((name) => {
    const { stored = "", changed = false } = merged.origin?.(name) ?? {};
    return changed && packed.has(stored);
  });
}

/** The values [out, in] that a packed weight has in the merged model. */
export async function mergedValues(
  merged: MergedModel,
  base: Pick<PackedBase, "turned">,
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
  return base.turned(merged.origin?.(name).stored ?? "") ? transposeMatrix(values, rows, columns) : values;
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
      // They are read one after another, and not needed again.
      if (i === weight.parts.length - 1) known = undefined;
      if (tensor) yield tensor;
      else yield* bytesOf(base.weights, part, old);
    });
  });
}
