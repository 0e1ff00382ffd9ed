/**
 * Weights packed by compressed-tensors (llm-compressor, vLLM) in the format "pack-quantized", with any number of bits.
 */
import { badFile, badValue, show, unsupported } from "../../core/base/errors.ts";
import { linearPattern } from "../../core/patterns/linear_pattern.ts";
import type { Json, Named } from "../../core/types.ts";
import { decodeLinear, evenGroups, type LinearCodes } from "../quantization/linear_codes.ts";
import { toSessionBlocks } from "./session_blocks.ts";
import type { PackedWeight, PackingMethod } from "./packed_weight.ts";
import { checkForm, readFloats, readWords, type StoredTensors } from "./stored_tensors.ts";
import { codeIn, wordsFor } from "./words.ts";
import { groupsIn } from "./gptq.ts";

const CODES = /^(.+)\.weight_packed$/;
const FORMAT = "pack-quantized";

/** compressed-tensors with 1 to 8 bits. */
export const compressedTensors: PackingMethod = {
  name: "compressed-tensors",
  suffixes: [CODES, /\.weight_(scale|zero_point|shape|g_idx)$/],
  open: async (tensors, config) => {
    const schemes = schemesOf(tensors.label, config);
    const weights: PackedWeight[] = [];
    for (const name of tensors.names) {
      const [, module] = CODES.exec(name) ?? [];
      if (module !== undefined) weights.push(await packed(tensors, module, schemeFor(schemes, module, tensors.label)));
    }
    return weights;
  },
};

/** How the modules in `targets` are packed. `groupSize` undefined: a group is an output, or the whole weight. */
type Scheme = Readonly<{ targets: readonly string[]; bits: number; groupSize: number | undefined; symmetric: boolean }>;

function schemesOf(label: string, config: Named<Json>): readonly Scheme[] {
  const field = (name: string): string => `${label}/config.json: quantization_config.${name}`;
  const refuse = (name: string, found: unknown): Error =>
    unsupported("pretrained", field(name), `compressed-tensors with ${show(found)}`, `only ${FORMAT} weights are`);
  const groups = Object.entries((config.config_groups ?? {}) as Named<Named<Json>>);
  const several = config.format === "mixed-precision" && groups.every(([, group]) => group?.format === FORMAT);
  if (config.format !== FORMAT && !several) throw refuse("format", config.format);
  for (const name of ["sparsity_config", "transform_config"]) {
    const said = config[name];
    const isDense = typeof said === "object" && said !== null && (said as Named<Json>).format === "dense";
    if (typeof said === "object" && said !== null && Object.keys(said).length > 0 && !isDense) throw refuse(name, said);
  }
  if (groups.length === 0) {
    throw badValue("pretrained", field("config_groups"), config.config_groups, "a group of weights");
  }
  return groups.map(([key, group]) => schemeOf(group, (name) => field(`config_groups.${key}.${name}`), refuse));
}

function schemeOf(
  group: Named<Json>,
  field: (name: string) => string,
  refuse: (name: string, found: unknown) => Error,
): Scheme {
  const { format = FORMAT, input_activations: activations, targets, weights } = group;
  if (format !== null && format !== FORMAT) throw refuse("config_groups", format);
  if (activations !== null && activations !== undefined) {
    throw refuse("config_groups", { input_activations: activations });
  }
  if (typeof weights !== "object" || weights === null) {
    throw badValue("pretrained", field("weights"), weights, "a scheme");
  }
  const { num_bits: bits, strategy, group_size: size, symmetric = true, type = "int" } = weights as Named<Json>;
  if (type !== "int") throw refuse("config_groups", { type });
  if (strategy !== "group" && strategy !== "channel" && strategy !== "tensor") {
    throw refuse("config_groups", { strategy });
  }
  if (!Number.isInteger(bits) || Number(bits) < 1 || Number(bits) > 8) {
    throw badValue("pretrained", field("weights.num_bits"), bits, "a whole number from 1 to 8");
  }
  if (strategy === "group" && (!Number.isInteger(size) || Number(size) < 1)) {
    throw badValue("pretrained", field("weights.group_size"), size, "a whole number from 1");
  }
  return {
    targets: Array.isArray(targets) ? targets.map(String) : [],
    bits: Number(bits),
    groupSize: strategy === "group" ? Number(size) : undefined,
    symmetric: symmetric === true,
  };
}

/** Returns the scheme of a module: a target that matches its path precedes one that names its class. */
function schemeFor(schemes: readonly Scheme[], module: string, label: string): Scheme {
  const [first] = schemes;
  if (first && schemes.length === 1) return first;
  const names = (target: string): boolean =>
    target.startsWith("re:")
      // As Python's re.match: anchored at the start only.
      ? module.match(linearPattern(`^(?:${target.slice(3)})`)) !== null
      : target === module || module.endsWith(`.${target}`);
  const fitting = schemes.find((scheme) => scheme.targets.some(names)) ??
    schemes.find((scheme) => scheme.targets.includes("Linear"));
  if (fitting) return fitting;
  throw badFile("pretrained", `${label}/config.json`, `has no group in config_groups for ${show(module)}`);
}

async function packed(tensors: StoredTensors, module: string, scheme: Scheme): Promise<PackedWeight> {
  const { label } = tensors;
  const { bits, symmetric } = scheme;
  const name = (part: string): string => `${module}.weight_${part}`;
  checkForm(tensors, name("shape"), "int64", [2]);
  const [outputs = 0, inputs = 0] = Array.from((await tensors.read(name("shape"))).data, Number);
  if (!(outputs >= 1 && inputs >= 1)) {
    throw badFile("pretrained", label, `has ${show([outputs, inputs])} in tensor ${show(name("shape"))}`);
  }
  checkForm(tensors, name("packed"), "int32", [outputs, wordsFor(inputs, bits)]);
  const size = scheme.groupSize ?? inputs;
  const groups = Math.ceil(inputs / size);
  // A single scale for the whole tensor applies to every output.
  const scaleDims = checkForm(tensors, name("scale"), "floats");
  const isOne = scaleDims.every((dim) => dim === 1) && scheme.groupSize === undefined;
  if (!isOne) checkForm(tensors, name("scale"), "floats", [outputs, groups]);
  const zeroForm = tensors.form(name("zero_point"));
  const isPacked = zeroForm?.dtype === "int32";
  if (zeroForm && isPacked) checkForm(tensors, name("zero_point"), "int32", [wordsFor(outputs, bits), groups]);
  else if (zeroForm) checkForm(tensors, name("zero_point"), "int8", isOne ? scaleDims : [outputs, groups]);
  else if (!symmetric) checkForm(tensors, name("zero_point"), "int32");
  const hasIndex = tensors.form(name("g_idx")) !== undefined;
  if (hasIndex) checkForm(tensors, name("g_idx"), "int32", [inputs]);
  const everyOutput = (x: Float32Array): Float32Array => isOne ? new Float32Array(outputs).fill(x[0] ?? 0) : x;
  const offset = 2 ** (bits - 1);
  const zeros = async (): Promise<Float32Array> => {
    if (!zeroForm) return new Float32Array(outputs * groups).fill(offset);
    if (isPacked) return zeroPoints(await readWords(tensors, name("zero_point")), bits, outputs, groups);
    const { data } = await tensors.read(name("zero_point"));
    return everyOutput(Float32Array.from(data as Int8Array, (zero) => zero + offset));
  };
  const groupOf = hasIndex
    ? groupsIn(await readWords(tensors, name("g_idx")), groups, label, name("g_idx"))
    : evenGroups(inputs, size);
  const codes = async (): Promise<LinearCodes> => ({
    bits,
    codes: rowsOf(await readWords(tensors, name("packed")), bits, outputs, inputs),
    scales: everyOutput(await readFloats(tensors, name("scale"))),
    zeros: await zeros(),
    groups: groupOf,
  });
  return {
    name: `${module}.weight`,
    dims: [outputs, inputs],
    parts: ["packed", "scale", "shape", ...zeroForm ? ["zero_point"] : [], ...hasIndex ? ["g_idx"] : []].map(name),
    values: async () => decodeLinear(await codes(), [outputs, inputs]),
    stored: toSessionBlocks(
      { bits, groups: groupOf, groupCount: groups, hasZeros: zeroForm !== undefined },
      [outputs, inputs],
      codes,
    ),
  };
}

/** Unpacks words [out, ⌈in · bits / 32⌉] to codes [out, in], one a byte. */
function rowsOf(words: Int32Array, bits: number, outputs: number, inputs: number): Uint8Array {
  const codes = new Uint8Array(outputs * inputs);
  const width = wordsFor(inputs, bits);
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) codes[o * inputs + i] = codeIn(words, bits, i, o * width, 1);
  }
  return codes;
}

/** Unpacks words [⌈out · bits / 32⌉, groups] to zero points [out, groups]. */
function zeroPoints(words: Int32Array, bits: number, outputs: number, groups: number): Float32Array {
  const zeros = new Float32Array(outputs * groups);
  for (let o = 0; o < outputs; o++) {
    for (let g = 0; g < groups; g++) zeros[o * groups + g] = codeIn(words, bits, o, g, groups);
  }
  return zeros;
}
