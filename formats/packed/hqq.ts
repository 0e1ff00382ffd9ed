/** Weights packed by HQQ: groups along either axis of the reshaped weight, with zero points that need not be whole. */
import { badFile, show, unsupported } from "../../core/base/errors.ts";
import { viewOf } from "../../core/files/safetensors.ts";
import { sizeOf, type TensorData } from "../../core/base/tensor.ts";
import type { Json, Named } from "../../core/types.ts";
import { evenGroups } from "../quantization/linear_codes.ts";
import { toSessionBlocks } from "./session_blocks.ts";
import type { PackedWeight, PackingMethod } from "./packed_weight.ts";
import { type HqqGroups, repackHqq } from "./repack_hqq.ts";
import { checkForm, readFloats, readNumber, type StoredTensors } from "./stored_tensors.ts";

const CODES = /^(.+)\.W_q$/;

/** Entries stored with each weight: its scales and zero points, and how it was quantized. */
const fields = [
  "scale",
  "zero",
  "axis",
  "channel_wise",
  "compute_dtype",
  "encoded_state_dict",
  "group_size",
  "nbits",
  "offload_meta",
  "optimize",
  "packing",
  "quant_scale",
  "quant_zero",
  "round_zero",
  "shape",
  "stores_quant_config",
  "unpack_view_dtype",
  "view_as_float",
] as const;

/** HQQ with 1, 2, 3, 4 or 8 bits. */
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

/** Codes per stored number, and bytes of that number, by bits per code. */
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
  // Entries stored with the weight take precedence; older files have them only in the config.
  const number = async (part: string): Promise<number | undefined> => {
    const stored = await readNumber(tensors, name(part));
    return stored ?? (typeof said[part] === "number" ? Number(said[part]) : undefined);
  };
  for (const part of ["quant_scale", "quant_zero", "zero_scale", "scale_q", "zero_q"]) {
    const isOn = part.startsWith("quant_") ? await readNumber(tensors, name(part)) === 1 : tensors.form(name(part));
    if (!isOn) continue;
    const found = `hqq with ${part === "zero_scale" ? "offloaded" : "quantized"} scales or zero points (${name(part)})`;
    throw unsupported("pretrained", label, found, "only unquantized ones are");
  }
  checkForm(tensors, name("shape"), "int64", [2]);
  const [outputs = 0, inputs = 0] = Array.from((await tensors.read(name("shape"))).data, Number);
  const [bits = 0, axis = 1, groupSize] = [await number("nbits"), await number("axis"), await number("group_size")];
  const packing = packings[bits];
  const size = outputs * inputs;
  if (!packing) {
    throw unsupported("pretrained", `${label}: ${name("nbits")}`, bits, "only 1, 2, 3, 4 and 8 bits are");
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
      `has ${stored.length} bytes in tensor ${show(name("W_q"))}, where ${due} were expected`,
    );
  }
  const scales = axis === 1 ? rows : columns;
  for (const part of ["scale", "zero"]) {
    const dims = checkForm(tensors, name(part), "floats");
    if (sizeOf(dims) !== scales && sizeOf(dims) !== 1) {
      throw badFile(
        "pretrained",
        label,
        `has tensor ${show(name(part))} with dims ${show(dims)}, where ${scales} values were expected`,
      );
    }
  }
  const words = async (): Promise<TensorData> =>
    viewOf(packing.bytes === 1 ? "uint8" : "int32", await tensors.bytes(name("W_q")));
  const codes = async (): Promise<GroupedCodes> => ({
    codes: unpacked(await words(), bits, packing.codes, rows, columns),
    scales: everyGroup(await readFloats(tensors, name("scale")), scales),
    zeros: everyGroup(await readFloats(tensors, name("zero")), scales),
  });
  const dims = [outputs, inputs] as const;
  const flag = async (part: string): Promise<boolean> => await number(part) === 1 || said[part] === true;
  const solver: HqqGroups = {
    ...{ bits, by: axis === 1 ? "rows" : "columns", rows, columns, each: packing.codes, bytes: packing.bytes },
    ...{ optimize: await flag("optimize"), roundZero: await flag("round_zero") },
  };
  const hasGroups = ["scale", "zero"].every((part) => sizeOf(tensors.form(name(part))?.dims ?? []) === scales);
  const groups = evenGroups(inputs, group);
  return {
    name: name("weight"),
    dims,
    parts: ["W_q", ...fields].map(name).filter((part) => tensors.form(part)),
    values: async () => decodeGroups(await codes(), axis === 1 ? "rows" : "columns", columns),
    // Groups that do not cross rows are groups of inputs.
    stored: axis === 1 && inputs % group === 0
      ? toSessionBlocks({ bits, groups, groupCount: inputs / group, hasZeros: true }, dims, async () => ({
        ...await codes(),
        bits,
        groups,
      }))
      : undefined,
    // The quantizer gives each group its own scale, so a weight with a single one was not made by it.
    repack: hasGroups ? repackHqq(tensors, module, solver) : undefined,
  };
}

/** Codes of groups [rows, columns], one a byte, with the scale and zero point of each group. */
type GroupedCodes = Readonly<{ codes: Uint8Array; scales: Float32Array; zeros: Float32Array }>;

/** Unpacks codes to [rows, columns], one a byte; the first rows are in the highest bits. */
function unpacked(words: TensorData, bits: number, each: number, rows: number, columns: number): Uint8Array {
  const codes = new Uint8Array(rows * columns);
  const step = Math.ceil(rows / each);
  const mask = (1 << bits) - 1;
  for (let r = 0; r < rows; r++) {
    const shift = bits * (each - 1 - Math.floor(r / step));
    for (let c = 0; c < columns; c++) {
      codes[r * columns + c] = (Number(words[(r % step) * columns + c]) >>> shift) & mask;
    }
  }
  return codes;
}

function decodeGroups({ codes, scales, zeros }: GroupedCodes, by: "rows" | "columns", columns: number): Float32Array {
  return Float32Array.from(codes, (code, i) => {
    const g = by === "rows" ? Math.floor(i / columns) : i % columns;
    return Math.fround(code - (zeros[g] as number)) * (scales[g] as number);
  });
}

/** Expands a single value to one for each group. */
function everyGroup(values: Float32Array, count: number): Float32Array {
  return values.length === count ? values : new Float32Array(count).fill(values[0] ?? 0);
}
