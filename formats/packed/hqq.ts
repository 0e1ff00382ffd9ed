/**
 * Weights that HQQ packed: groups along either axis of the flattened weight, zero points that need not be whole.
 * @module
 */
import { badFile, show, unsupported } from "../../core/errors.ts";
import { viewOf } from "../../core/safetensors.ts";
import { sizeOf } from "../../core/tensor.ts";
import type { Json, Named } from "../../core/types.ts";
import type { PackedWeight, PackingMethod } from "./packed_weight.ts";
import { checkForm, readFloats, readNumber, type StoredTensors } from "./stored_tensors.ts";

const CODES = /^(.+)\.W_q$/;

/** What stands beside each weight, of its values and of how it was made. */
const others =
  /\.(scale|zero|axis|channel_wise|compute_dtype|encoded_state_dict|group_size|nbits|offload_meta|optimize|packing|quant_scale|quant_zero|round_zero|shape|stores_quant_config|unpack_view_dtype|view_as_float)$/;

/** HQQ of 1, 2, 3, 4 and 8 bits. */
export const hqq: PackingMethod = {
  name: "hqq",
  suffixes: [CODES, /\.(W_q|scale_q|zero_q|meta_scale|meta_zero|zero_scale)(\..+)?$/],
  open: async (tensors, config) => {
    const weights: PackedWeight[] = [];
    for (const name of tensors.names) {
      const [, module] = CODES.exec(name) ?? [];
      if (module !== undefined) weights.push(await packed(tensors, module, config));
    }
    return weights;
  },
};

/** Codes a stored number holds, and its bytes, by bits. */
const packings: Readonly<Record<number, Readonly<{ codes: number; bytes: 1 | 4 }>>> = {
  8: { codes: 1, bytes: 1 },
  4: { codes: 2, bytes: 1 },
  3: { codes: 10, bytes: 4 },
  2: { codes: 4, bytes: 1 },
  1: { codes: 8, bytes: 1 },
};

async function packed(tensors: StoredTensors, module: string, config: Named<Json>): Promise<PackedWeight> {
  const { label } = tensors;
  const name = (part: string): string => `${module}.${part}`;
  const said = ((config.quant_config as Named<Json> | undefined)?.weight_quant_params ?? {}) as Named<Json>;
  // What stands beside the weight is of this weight; older files have it in the config alone.
  const number = async (part: string): Promise<number | undefined> => {
    const stored = await readNumber(tensors, name(part));
    return stored ?? (typeof said[part] === "number" ? Number(said[part]) : undefined);
  };
  for (const part of ["quant_scale", "quant_zero", "zero_scale", "scale_q", "zero_q"]) {
    const isOn = part.startsWith("quant_") ? await readNumber(tensors, name(part)) === 1 : tensors.form(name(part));
    if (!isOn) continue;
    const found = `hqq with ${part === "zero_scale" ? "offloaded" : "quantized"} scales or zero points (${name(part)})`;
    throw unsupported("pretrained", label, found, "plain ones are read");
  }
  checkForm(tensors, name("shape"), "int64", [2]);
  const [outputs = 0, inputs = 0] = Array.from((await tensors.read(name("shape"))).data, Number);
  const [bits = 0, axis = 1, groupSize] = [await number("nbits"), await number("axis"), await number("group_size")];
  const packing = packings[bits];
  const size = outputs * inputs;
  if (!packing) {
    throw unsupported("pretrained", `${label}: ${name("nbits")}`, bits, "hqq of 1, 2, 3, 4 and 8 bits is read");
  }
  if (
    !(outputs >= 1 && inputs >= 1) || (axis !== 0 && axis !== 1) || (groupSize !== undefined && size % groupSize !== 0)
  ) {
    const found = { shape: [outputs, inputs], axis, group_size: groupSize };
    throw badFile("pretrained", label, `says of ${show(module)} ${show(found)}, which is no weight's`);
  }
  const group = groupSize ?? (axis === 1 ? inputs : outputs);
  const [rows, columns] = axis === 1 ? [size / group, group] : [group, size / group];
  const stored = await tensors.bytes(name("W_q"));
  const due = Math.ceil(rows / packing.codes) * columns * packing.bytes;
  if (stored.length !== due) {
    throw badFile(
      "pretrained",
      label,
      `has ${stored.length} bytes in tensor ${show(name("W_q"))}, where ${due} are due`,
    );
  }
  const scales = axis === 1 ? rows : columns;
  for (const part of ["scale", "zero"]) {
    const dims = checkForm(tensors, name(part), "floats");
    if (sizeOf(dims) !== scales && sizeOf(dims) !== 1) {
      throw badFile(
        "pretrained",
        label,
        `has tensor ${show(name(part))} with dims ${show(dims)}, where ${scales} values are due`,
      );
    }
  }
  const beside = tensors.names.filter((own) =>
    own.startsWith(`${module}.`) && others.test(own) && own === name(own.slice(module.length + 1))
  );
  return {
    name: name("weight"),
    dims: [outputs, inputs],
    parts: [name("W_q"), ...beside],
    values: async () => {
      const words = viewOf(packing.bytes === 1 ? "uint8" : "int32", await tensors.bytes(name("W_q")));
      const [scale, zero] = [await readFloats(tensors, name("scale")), await readFloats(tensors, name("zero"))];
      const values = new Float32Array(size);
      // The first rows stand in the highest bits.
      const step = Math.ceil(rows / packing.codes);
      const mask = (1 << bits) - 1;
      for (let r = 0; r < rows; r++) {
        const shift = bits * (packing.codes - 1 - Math.floor(r / step));
        for (let c = 0; c < columns; c++) {
          const code = (Number(words[(r % step) * columns + c]) >>> shift) & mask;
          const g = axis === 1 ? r : c;
          const [s, z] = [scale[scale.length === 1 ? 0 : g] as number, zero[zero.length === 1 ? 0 : g] as number];
          values[r * columns + c] = Math.fround(code - z) * s;
        }
      }
      return values;
    },
  };
}
