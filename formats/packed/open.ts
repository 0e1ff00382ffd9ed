/** Opening of checkpoints whose linear layers a library has packed: the weights get plain names and read as floats. */
import { badFile, show } from "../../core/base/errors.ts";
import { jsonObject } from "../../core/base/json.ts";
import type { Checkpoint, Json, Named, Store, Weights } from "../../core/types.ts";
import { configFields } from "./marks.ts";
import { methodOf, type QuantizationMethod, unreadMethod } from "./method.ts";
import { awq } from "./awq.ts";
import { bitsandbytes } from "./bitsandbytes.ts";
import { compressedTensors } from "./compressed_tensors.ts";
import { gptq } from "./gptq.ts";
import { hqq } from "./hqq.ts";
import type { PackedWeight, PackingMethod } from "./packed_weight.ts";
import { storedTensors } from "./stored_tensors.ts";

/** All supported methods. */
export const packingMethods: readonly PackingMethod[] = [bitsandbytes, gptq, awq, compressedTensors, hqq];

/**
 * Presents a checkpoint whose weights a library has packed as a plain one: packed weights have their unpacked names and
 * read as float32 [out, in]; the tensors that they are packed in and the config's quantization fields are hidden.
 *
 * @throws AttuneError if the method or its layout is not supported, or if tensors are missing or contradict each other.
 */
export async function openPacked(plugin: string, checkpoint: Checkpoint): Promise<Checkpoint> {
  const { config, weights, files } = checkpoint;
  const method = await packedIn(plugin, checkpoint);
  if (!method) return checkpoint;
  const { packed } = method;
  const parts = new Set([...packed.values()].flatMap((weight) => weight.parts));
  return {
    ...checkpoint,
    config: withoutFields(config),
    files: withoutConfigFields(files),
    weights: unpackedWeights(weights, packed, parts),
    quantization: { method: method.method, weights: new Set(packed.keys()) },
  };
}

/** The packed weights of a checkpoint by their plain names, and the method as messages name it. */
export type PackedWeights = Readonly<{ method: string; packed: ReadonlyMap<string, PackedWeight> }>;

/** Returns the packed weights of a checkpoint as it is stored; undefined if none are. Throws as `openPacked` does. */
export async function packedIn(
  plugin: string,
  { label, config, weights }: Pick<Checkpoint, "label" | "config" | "weights">,
): Promise<PackedWeights | undefined> {
  const known = methodOf(plugin, label, config, weights.names);
  if (!known) return undefined;
  const method = packingMethods.find(({ name }) => name === known.name);
  if (!method) throw unreadMethod(plugin, label, known.label);
  const packed = new Map<string, PackedWeight>();
  const parts = new Set<string>();
  for (const weight of await method.open(storedTensors(weights, label), known.config)) {
    packed.set(weight.name, weight);
    for (const part of weight.parts) parts.add(part);
  }
  checkAll(label, known, method, weights.names, packed, parts);
  return { method: known.label, packed };
}

function withoutFields(config: Named<Json>): Named<Json> {
  return Object.fromEntries(Object.entries(config).filter(([name]) => !configFields.includes(name)));
}

/** The same files, with a config.json that does not mention quantization. */
function withoutConfigFields(files: Store): Store {
  return {
    ...files,
    get: async (key, range) => {
      const stored = key === "config.json" ? await files.get(key) : undefined;
      if (!stored) return await files.get(key, range);
      const bytes = new TextEncoder().encode(
        JSON.stringify(withoutFields(jsonObject("pretrained", key, stored.bytes))),
      );
      const { offset = 0, length = bytes.length } = range ?? {};
      return { ...stored, size: bytes.length, bytes: bytes.slice(offset, offset + length) };
    },
  };
}

/** Throws AttuneError if a config names a method but nothing is packed, codes are missing, or a weight occurs twice. */
function checkAll(
  label: string,
  quantized: QuantizationMethod,
  method: PackingMethod,
  names: readonly string[],
  packed: ReadonlyMap<string, PackedWeight>,
  parts: ReadonlySet<string>,
): void {
  if (packed.size === 0) {
    throw badFile(
      "pretrained",
      `${label}/config.json`,
      `says that the weights are quantized by ${quantized.label}, but none of them is: remove quantization_config`,
    );
  }
  for (const name of names) {
    if (parts.has(name)) continue;
    if (packed.has(name)) throw badFile("pretrained", label, `has ${show(name)} twice, as floats and as codes`);
    if (method.suffixes.some((pattern) => pattern.test(name))) {
      throw badFile(
        "pretrained",
        label,
        `has tensor ${show(name)} of ${quantized.label} without the codes that it belongs to`,
      );
    }
  }
}

function unpackedWeights(
  weights: Weights,
  packed: ReadonlyMap<string, PackedWeight>,
  parts: ReadonlySet<string>,
): Weights {
  // A packed weight takes the position of its first tensor.
  const firsts = new Map([...packed.values()].map((weight) => [weight.parts[0], weight.name]));
  const names = weights.names.flatMap((name) => firsts.get(name) ?? (parts.has(name) ? [] : [name]));
  return {
    ...weights,
    names,
    read: async (name) => {
      const weight = packed.get(name);
      if (!weight) return await weights.read(name);
      return { dtype: "float32", dims: weight.dims, data: await weight.values() };
    },
    encoded: async (name) => {
      const weight = packed.get(name)?.stored;
      return weight ? { format: weight.format, tensors: await weight.tensors() } : await weights.encoded?.(name);
    },
    formatOf: (name) => packed.has(name) ? packed.get(name)?.stored?.format : weights.formatOf?.(name),
    quantized: async (name) => packed.has(name) ? undefined : await weights.quantized?.(name),
    part: (name) => packed.has(name) ? undefined : weights.part?.(name),
    locate: (name) => {
      const weight = packed.get(name);
      if (!weight) return weights.locate(name);
      const [outputs, inputs] = weight.dims;
      return { file: undefined, offset: 0, bytes: 4 * outputs * inputs, dtype: "float32", dims: weight.dims };
    },
  };
}
