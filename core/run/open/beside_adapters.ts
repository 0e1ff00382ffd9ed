/**
 * Which modules of a head train beside an adapter.
 * @module
 */
import { isModuleNamed } from "../../base/module_names.ts";
import { storedNames } from "../../engine/weights.ts";
import type { Checkpoint, Head, HeadSpec, InspectedBackbone } from "../../types.ts";

/**
 * Modules of heads that train whole beside adapters: those that PEFT adds by itself, and those that the checkpoint lacks.
 * A frozen random layer, as PEFT leaves BERT's pooler where a checkpoint has none, would stand between what is learned and
 * the labels.
 */
export function modulesBesideAdapters(
  backbone: InspectedBackbone,
  heads: readonly Head[],
  { weights }: Pick<Checkpoint, "weights">,
): readonly string[] {
  const stored = storedNames(weights.names, backbone);
  // All of a model from scratch is random, and stays so beside an adapter.
  const isNew = (module: string): boolean => weights.names.length > 0 && stored(`${module}.weight`) === undefined;
  return heads.flatMap((head) => {
    const spec = backbone.heads[head.name];
    const saved = spec?.modulesToSave ?? head.modulesToSave;
    const layers = spec ? layersOf(spec) : [];
    return [...saved, ...layers.filter((layer) => !isModuleNamed(layer, saved) && isNew(layer))];
  });
}

/** The layers of a head that have weights, in order. */
export function layersOf({ out, steps }: HeadSpec): readonly string[] {
  return [...steps.flatMap((step) => "dense" in step ? [step.dense] : "norm" in step ? [step.norm] : []), out];
}
