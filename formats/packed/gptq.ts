/**
 * Weights packed by GPTQ's libraries (auto_gptq, gptqmodel): codes along the inputs, zero points along the outputs.
 */
import { badFile, badValue, show, unsupported } from "../../core/base/errors.ts";
import type { Json, Named } from "../../core/types.ts";
import { decodeLinear, evenGroups, type LinearCodes } from "../quantization/linear_codes.ts";
import { toSessionBlocks } from "./session_blocks.ts";
import type { PackedWeight, PackingMethod } from "./packed_weight.ts";
import { checkForm, readFloats, readWords, type StoredTensors } from "./stored_tensors.ts";
import { codeIn, wordsFor } from "./words.ts";

const CODES = /^(.+)\.qweight$/;

/** GPTQ with 2, 3, 4 or 8 bits. */
export const gptq: PackingMethod = {
  name: "gptq",
  suffixes: [CODES, /\.(qzeros|scales|g_idx)$/],
  open: async (tensors, config) => {
    const layout = layoutOf(tensors.label, config);
    const weights: PackedWeight[] = [];
    for (const name of tensors.names) {
      const [, module] = CODES.exec(name) ?? [];
      if (module !== undefined) weights.push(await packed(tensors, module, layout));
    }
    return weights;
  },
};

/** How a file is packed. `zeroBias`: what has to be added to stored zero points. */
type Layout = Readonly<{ bits: number; groupSize: number; zeroBias: number }>;

function layoutOf(label: string, config: Named<Json>): Layout {
  const field = (name: string): string => `${label}/config.json: quantization_config.${name}`;
  const { bits, group_size: groupSize = -1, checkpoint_format: format = "gptq" } = config;
  if (config.is_marlin_format === true || (format !== "gptq" && format !== "gptq_v2")) {
    const found = config.is_marlin_format === true ? "gptq in marlin's layout" : `gptq in the layout ${show(format)}`;
    throw unsupported("pretrained", field("checkpoint_format"), found, "only gptq and gptq_v2 are");
  }
  if (bits !== 2 && bits !== 3 && bits !== 4 && bits !== 8) {
    throw badValue("pretrained", field("bits"), bits, "2, 3, 4 or 8 for gptq");
  }
  if (!Number.isInteger(groupSize) || (Number(groupSize) < 1 && groupSize !== -1)) {
    throw badValue("pretrained", field("group_size"), groupSize, "a whole number from 1, or -1 for one group");
  }
  if (typeof config.dynamic === "object" && config.dynamic !== null && Object.keys(config.dynamic).length > 0) {
    throw unsupported("pretrained", field("dynamic"), "gptq of several layouts", "only one layout for all modules is");
  }
  return { bits, groupSize: Number(groupSize), zeroBias: format === "gptq" ? 1 : 0 };
}

async function packed(tensors: StoredTensors, module: string, layout: Layout): Promise<PackedWeight> {
  const { label } = tensors;
  const { bits } = layout;
  const [qweight, qzeros, scales, index] = ["qweight", "qzeros", "scales", "g_idx"].map((part) =>
    `${module}.${part}`
  ) as [string, string, string, string];
  const [words = 0, outputs = 0] = checkForm(tensors, qweight, "int32", [null, null]);
  const hasIndex = tensors.form(index) !== undefined;
  const inputs = hasIndex ? checkForm(tensors, index, "int32", [null])[0] ?? 0 : Math.floor(words * 32 / bits);
  if (inputs < 1 || wordsFor(inputs, bits) !== words) {
    throw badFile(
      "pretrained",
      label,
      `has ${words} rows in ${show(qweight)}, where ${inputs} inputs of ${bits} bits were expected`,
    );
  }
  const [groups = 0] = checkForm(tensors, scales, "floats", [null, outputs]);
  const size = layout.groupSize === -1 ? inputs : layout.groupSize;
  if (!hasIndex && groups !== Math.ceil(inputs / size)) {
    throw badFile(
      "pretrained",
      label,
      `has ${groups} groups in ${show(scales)}; ${inputs} inputs by ${size} make others`,
    );
  }
  checkForm(tensors, qzeros, "int32", [groups, wordsFor(outputs, bits)]);
  const groupOf = hasIndex ? groupsIn(await readWords(tensors, index), groups, label, index) : evenGroups(inputs, size);
  const codes = async (): Promise<LinearCodes> => ({
    bits,
    codes: inputsFirst(await readWords(tensors, qweight), bits, outputs, inputs),
    scales: byOutputs(await readFloats(tensors, scales), groups, outputs),
    zeros: zeroPoints(await readWords(tensors, qzeros), layout, groups, outputs),
    groups: groupOf,
  });
  return {
    name: `${module}.weight`,
    dims: [outputs, inputs],
    parts: [qweight, qzeros, scales, ...hasIndex ? [index] : []],
    values: async () => decodeLinear(await codes(), [outputs, inputs]),
    stored: toSessionBlocks({ bits, groups: groupOf, groupCount: groups, hasZeros: true }, [outputs, inputs], codes),
  };
}

/** Unpacks words [⌈in · bits / 32⌉, out] to codes [out, in], one a byte. */
function inputsFirst(words: Int32Array, bits: number, outputs: number, inputs: number): Uint8Array {
  const codes = new Uint8Array(outputs * inputs);
  for (let i = 0; i < inputs; i++) {
    for (let o = 0; o < outputs; o++) codes[o * inputs + i] = codeIn(words, bits, i, o, outputs);
  }
  return codes;
}

/** Unpacks words [groups, ⌈out · bits / 32⌉] to zero points [out, groups]. */
function zeroPoints(words: Int32Array, { bits, zeroBias }: Layout, groups: number, outputs: number): Float32Array {
  const zeros = new Float32Array(outputs * groups);
  const width = wordsFor(outputs, bits);
  for (let g = 0; g < groups; g++) {
    for (let o = 0; o < outputs; o++) zeros[o * groups + g] = codeIn(words, bits, o, g * width, 1) + zeroBias;
  }
  return zeros;
}

/** Transposes values from [groups, out], as they are stored, to [out, groups]. */
export function byOutputs(stored: Float32Array, groups: number, outputs: number): Float32Array {
  const out = new Float32Array(stored.length);
  for (let g = 0; g < groups; g++) {
    for (let o = 0; o < outputs; o++) out[o * groups + g] = stored[g * outputs + o] as number;
  }
  return out;
}

/** Returns the group of each input, as the file has it. Throws AttuneError if a group is out of range. */
export function groupsIn(index: Int32Array, groups: number, label: string, name: string): Int32Array {
  const wrong = index.find((g) => g < 0 || g >= groups);
  if (wrong === undefined) return index;
  throw badFile("pretrained", label, `names group ${wrong} in tensor ${show(name)}, of ${groups}`);
}
