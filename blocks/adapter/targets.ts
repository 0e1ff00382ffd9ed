/**
 * Which modules an adapter adapts.
 * @module
 */
import * as v from "valibot";
import { missing } from "../../core/base/errors.ts";
import { layerIndex } from "../../core/patterns/module_patterns.ts";
import type { AdapterTargets, InspectedBackbone } from "../../core/types.ts";

/** A schema of modules to adapt: a pattern, or names. */
export const moduleNames: v.GenericSchema<string | readonly string[]> = v.union([
  v.string(),
  v.pipe(v.array(v.string()), v.minLength(1)),
]);

/**
 * The linear layers that may be adapted: not those that train whole. "all-linear" leaves out what gives the logits of the
 * vocabulary, as PEFT does.
 */
export function selectAdaptable(
  { linears, conv1ds, shapes, vocabSize }: InspectedBackbone,
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

/** The family's default, of the first of these kinds that it has. Throws AttuneError if it has none: then the option must say. */
export function defaultTargets(
  plugin: string,
  option: string,
  { family: { modelType, targets } }: InspectedBackbone,
  ...kinds: readonly Exclude<keyof AdapterTargets, "bottleneck">[]
): readonly string[] {
  const modules = kinds.flatMap((kind) => targets[kind] ? [targets[kind]] : [])[0];
  if (modules) return modules;
  throw missing(
    plugin,
    `a list of modules (there is no default for model_type "${modelType}")`,
    `adapter.with.${option}`,
  );
}
