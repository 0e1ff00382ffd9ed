/** The tensors of a checkpoint's files as they are stored, which libraries have packed their codes in. */
import { badFile, show } from "../../core/base/errors.ts";
import { type TensorForm, toFloat32, viewOf } from "../../core/files/safetensors.ts";
import { type DType, sizeOf } from "../../core/base/tensor.ts";
import type { Tensor, Weights } from "../../core/types.ts";

/** Tensors as they are stored, with the name that messages use for the model. */
export type StoredTensors = Readonly<{
  label: string;
  names: readonly string[];
  /** The dtype and dims of a tensor; undefined: there is none. */
  form(name: string): TensorForm | undefined;
  /** A tensor's bytes. Throws AttuneError if there is none. */
  bytes(name: string): Promise<Uint8Array>;
  read(name: string): Promise<Tensor>;
}>;

/** The tensors that weights are read from. */
export function storedTensors(weights: Weights, label: string): StoredTensors {
  const form = (name: string): TensorForm | undefined => {
    const at = weights.locate(name);
    return at && { dtype: at.dtype, dims: at.dims };
  };
  const bytes = async (name: string): Promise<Uint8Array> => {
    const at = weights.locate(name);
    const part = at && weights.part?.(name);
    if (!at || !part) throw badFile("pretrained", label, `has no tensor ${show(name)} of its own`);
    return await part(0, at.bytes);
  };
  return {
    label,
    names: weights.names,
    form,
    bytes,
    read: async (name) => {
      const { dtype, dims } = form(name) ?? { dtype: "uint8", dims: [] };
      return { dtype, dims, data: viewOf(dtype, await bytes(name)) };
    },
  };
}

const floats: ReadonlySet<DType> = new Set<DType>(["float32", "float16", "bfloat16"]);

/** Throws AttuneError if a tensor is missing, of another dtype or of other dims than a method's layout has; null: any. */
export function checkForm(
  { label, form }: StoredTensors,
  name: string,
  dtype: DType | "floats",
  dims?: readonly (number | null)[],
): readonly number[] {
  const tensor = form(name);
  if (!tensor) throw badFile("pretrained", label, `lacks tensor ${show(name)}, which its codes need`);
  if (dtype === "floats" ? !floats.has(tensor.dtype) : tensor.dtype !== dtype) {
    const due = dtype === "floats" ? "floats are" : `${dtype} is`;
    throw badFile("pretrained", label, `has ${tensor.dtype} in tensor ${show(name)}, where ${due} was expected`);
  }
  const fits = !dims ||
    (dims.length === tensor.dims.length && dims.every((dim, i) => dim === null || dim === tensor.dims[i]));
  if (fits) return tensor.dims;
  throw badFile(
    "pretrained",
    label,
    `has tensor ${show(name)} with dims ${show(tensor.dims)}, where ${show(dims)} was expected`,
  );
}

/** A tensor of whole numbers of 32 bits. */
export async function readWords(tensors: StoredTensors, name: string): Promise<Int32Array> {
  const { data } = await tensors.read(name);
  if (data instanceof Int32Array) return data;
  throw badFile("pretrained", tensors.label, `has no int32 in tensor ${show(name)}`);
}

/** A tensor of floats of any width. Throws AttuneError if one is not finite. */
export async function readFloats(tensors: StoredTensors, name: string): Promise<Float32Array> {
  const { data } = toFloat32(await tensors.read(name));
  if (data.every(Number.isFinite)) return data;
  throw badFile("pretrained", tensors.label, `has a value in tensor ${show(name)} that is not finite`);
}

/** The one whole number of a tensor; undefined: there is no such tensor. */
export async function readNumber(tensors: StoredTensors, name: string): Promise<number | undefined> {
  const form = tensors.form(name);
  if (!form) return undefined;
  if (sizeOf(form.dims) !== 1) {
    throw badFile("pretrained", tensors.label, `has no single number in tensor ${show(name)}`);
  }
  return Number((await tensors.read(name)).data[0]);
}
