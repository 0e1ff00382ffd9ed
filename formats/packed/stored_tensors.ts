/** The tensors of a checkpoint's files as they are stored, with weights still packed. */
import { badFile, show } from "../../core/base/errors.ts";
import { type TensorForm, toFloat32, viewOf } from "../../core/files/safetensors.ts";
import { type DType, sizeOf } from "../../core/base/tensor.ts";
import type { Tensor, Weights } from "../../core/types.ts";

/** Tensors as they are stored. `label`: the model's name in messages. */
export type StoredTensors = Readonly<{
  label: string;
  names: readonly string[];
  /** Returns the dtype and dims of a tensor; undefined: there is none. */
  form(name: string): TensorForm | undefined;
  /** Reads a tensor's bytes. Throws AttuneError if there is none. */
  bytes(name: string): Promise<Uint8Array>;
  read(name: string): Promise<Tensor>;
}>;

/** Returns the stored tensors that `weights` are read from. */
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

/** Returns a tensor's dims. Throws AttuneError if it is missing or its dtype or dims are others; null: any size. */
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

/** Reads an int32 tensor. Throws AttuneError if it has another dtype. */
export async function readWords(tensors: StoredTensors, name: string): Promise<Int32Array> {
  const { data } = await tensors.read(name);
  if (data instanceof Int32Array) return data;
  throw badFile("pretrained", tensors.label, `has no int32 in tensor ${show(name)}`);
}

/** Reads a tensor of floats of any width as float32. Throws AttuneError if a value is not finite. */
export async function readFloats(tensors: StoredTensors, name: string): Promise<Float32Array> {
  const { data } = toFloat32(await tensors.read(name));
  if (data.every(Number.isFinite)) return data;
  throw badFile("pretrained", tensors.label, `has a value in tensor ${show(name)} that is not finite`);
}

/** Reads the only number of a tensor; undefined: there is no such tensor. Throws AttuneError if its size is not 1. */
export async function readNumber(tensors: StoredTensors, name: string): Promise<number | undefined> {
  const form = tensors.form(name);
  if (!form) return undefined;
  if (sizeOf(form.dims) !== 1) {
    throw badFile("pretrained", tensors.label, `has no single number in tensor ${show(name)}`);
  }
  return Number((await tensors.read(name)).data[0]);
}
