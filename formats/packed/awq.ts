/** Weights packed by AWQ in its "gemm" layout: each word has the codes of eight outputs, in AWQ's order. */
import { badFile, badValue, show, unsupported } from "../../core/base/errors.ts";
import type { Json, Named } from "../../core/types.ts";
import { decodeLinear, evenGroups, type LinearCodes } from "../quantization/linear_codes.ts";
import { toSessionBlocks } from "./session_blocks.ts";
import type { PackedWeight, PackingMethod } from "./packed_weight.ts";
import { checkForm, readFloats, readWords, type StoredTensors } from "./stored_tensors.ts";
import { byOutputs } from "./gptq.ts";

const CODES = /^(.+)\.qweight$/;

/** Column, among a word's eight, of each nibble from the lowest. */
const ORDER = [0, 2, 4, 6, 1, 3, 5, 7] as const;

/** AWQ with 4 bits. */
export const awq: PackingMethod = {
  name: "awq",
  suffixes: [CODES, /\.(qzeros|scales)$/],
  open: (tensors, config) => {
    const groupSize = groupSizeOf(tensors.label, config);
    const modules = tensors.names.flatMap((name) => CODES.exec(name)?.[1] ?? []);
    return Promise.resolve(modules.map((module) => packed(tensors, module, groupSize)));
  },
};

function groupSizeOf(label: string, config: Named<Json>): number {
  const field = (name: string): string => `${label}/config.json: quantization_config.${name}`;
  const { bits = config.w_bit, group_size: groupSize = config.q_group_size ?? -1, version = "gemm" } = config;
  if (typeof version !== "string" || version.toLowerCase() !== "gemm") {
    throw unsupported("pretrained", field("version"), `awq in the layout ${show(version)}`, "only gemm is");
  }
  if (bits !== 4) throw badValue("pretrained", field("bits"), bits, "4 for awq");
  if (!Number.isInteger(groupSize) || (Number(groupSize) < 1 && groupSize !== -1)) {
    throw badValue("pretrained", field("group_size"), groupSize, "a whole number from 1, or -1 for one group");
  }
  return Number(groupSize);
}

function packed(tensors: StoredTensors, module: string, groupSize: number): PackedWeight {
  const [qweight, qzeros, scales] = [`${module}.qweight`, `${module}.qzeros`, `${module}.scales`];
  const [inputs = 0, words = 0] = checkForm(tensors, qweight, "int32", [null, null]);
  const outputs = 8 * words;
  const size = groupSize === -1 ? inputs : groupSize;
  const groups = Math.ceil(inputs / size);
  checkForm(tensors, scales, "floats", [groups, outputs]);
  checkForm(tensors, qzeros, "int32", [groups, words]);
  if (tensors.form(`${module}.g_idx`)) {
    throw badFile("pretrained", tensors.label, `has tensor ${show(`${module}.g_idx`)}, which awq does not have`);
  }
  const groupOf = evenGroups(inputs, size);
  const codes = async (): Promise<LinearCodes> => ({
    bits: 4,
    codes: outputsFirst(await readWords(tensors, qweight), inputs, words),
    scales: byOutputs(await readFloats(tensors, scales), groups, outputs),
    zeros: Float32Array.from(outputsFirst(await readWords(tensors, qzeros), groups, words)),
    groups: groupOf,
  });
  return {
    name: `${module}.weight`,
    dims: [outputs, inputs],
    parts: [qweight, qzeros, scales],
    values: async () => decodeLinear(await codes(), [outputs, inputs]),
    stored: toSessionBlocks({ bits: 4, groups: groupOf, groupCount: groups, hasZeros: true }, [outputs, inputs], codes),
  };
}

/** Unpacks words [rows, width] to codes [8 · width, rows], one a byte. */
function outputsFirst(words: Int32Array, rows: number, width: number): Uint8Array {
  const codes = new Uint8Array(rows * width * 8);
  for (let r = 0; r < rows; r++) {
    for (let w = 0; w < width; w++) {
      const word = words[r * width + w] as number;
      ORDER.forEach((column, n) => (codes[(8 * w + column) * rows + r] = (word >>> (4 * n)) & 15));
    }
  }
  return codes;
}
