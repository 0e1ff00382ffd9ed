/**
 * Which modules PEFT adapts when none are named, by model_type.
 * @module
 */
import { missing } from "../../core/errors.ts";
import { layerIndex } from "../../core/modules.ts";
import type { Trunk } from "../../core/types.ts";

/** Modules by model_type. */
export type TargetTable = Readonly<Record<string, readonly string[]>>;

const attention = ["q_proj", "v_proj"];

/** The projections that LoRA and its relatives adapt. */
export const projections: TargetTable = {
  bert: ["query", "value"],
  roberta: ["query", "value"],
  electra: ["query", "value"],
  albert: ["query", "value"],
  distilbert: ["q_lin", "v_lin"],
  modernbert: ["Wqkv"],
  gpt2: ["c_attn"],
  t5: ["q", "v"],
  mt5: ["q", "v"],
  bart: attention,
  llama: attention,
  mistral: attention,
  qwen2: attention,
  qwen3: attention,
  gemma: attention,
  gemma2: attention,
  gemma3: attention,
  gemma3_text: attention,
  phi: [...attention, "fc1", "fc2"],
  phi3: ["qkv_proj"],
  falcon: ["query_key_value"],
};

/**
 * The linear layers that may be adapted: not those that train whole. "all-linear" leaves out what gives the logits of the
 * vocabulary, as PEFT does.
 */
export function adaptable(
  { linears, conv1ds, shapes, vocabSize }: Trunk,
  wanted: string | readonly string[],
  saved: (path: string) => boolean,
): readonly string[] {
  return linears.filter((path) => {
    if (saved(path)) return false;
    if (wanted !== "all-linear") return true;
    const dims = shapes[`${path}.weight`];
    return dims !== undefined && dims[conv1ds.includes(path) ? 1 : 0] !== vocabSize;
  });
}

/** Those of the targets that are in layers of some numbers; a path that is named whole is meant whatever its layer. */
export function inLayers(
  targets: Iterable<string>,
  { targetModules, layersToTransform, layersPattern }: Readonly<{
    targetModules: string | readonly string[] | null;
    layersToTransform: number | readonly number[] | null;
    layersPattern: string | readonly string[] | null;
  }>,
): readonly string[] {
  if (layersToTransform === null) return [...targets];
  const layers = [layersToTransform].flat();
  return [...targets].filter((path) =>
    (Array.isArray(targetModules) && targetModules.includes(path)) ||
    layers.includes(layerIndex(path, layersPattern) ?? -1)
  );
}

/** The family's default. Throws AttuneError where it has none: then the option must say. */
export function defaultTargets(
  plugin: string,
  option: string,
  table: TargetTable,
  { modelType }: Trunk,
): readonly string[] {
  const found = table[modelType];
  if (found) return found;
  throw missing(plugin, `a default for model_type "${modelType}": name the modules`, `adapter.with.${option}`);
}
