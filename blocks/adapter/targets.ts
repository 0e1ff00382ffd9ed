/** The modules that an adapter adapts. */
import * as v from "valibot";
import { missing } from "../../core/base/errors.ts";
import { layerIndex } from "../../core/patterns/module_patterns.ts";
import type { AdapterTargets, InspectedBackbone } from "../../core/types.ts";

/** Options that select the modules to adapt. */
export interface TargetOptions {
  /**
   * Modules by the end of their path, or a regular expression for the whole path, or "all-linear"; null: the family's
   * default.
   */
  readonly targetModules: string | readonly string[] | null;
  /** Only layers with these numbers. */
  readonly layersToTransform: number | readonly number[] | null;
  /** The name of the list of layers in module paths. */
  readonly layersPattern: string | readonly string[] | null;
  /** How weights are stored, as PEFT records it. Attune reads this from the model, so either value is accepted. */
  readonly fanInFanOut: boolean;
}

/** Schema of the modules to adapt: a pattern, or names. */
export const moduleNames: v.GenericSchema<string | readonly string[]> = v.union([
  v.string(),
  v.pipe(v.array(v.string()), v.minLength(1)),
]);

/**
 * Returns the linear layers that may be adapted: all but those trained whole. "all-linear" omits the layer that
 * computes the logits of the vocabulary, as PEFT does.
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

/** Returns the targets in the given layers. A target given by its full path is kept whatever its layer. */
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

/** Returns the family's default targets, of the first of `kinds` that it has. Throws AttuneError if it has none. */
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

/** Returns a test for what trains besides the adapter: modules that are saved whole, and all or the targets' biases. */
export function savedOrBias(
  saves: Readonly<{ isTrainable(name: string): true | undefined }>,
  bias: string,
  targets: ReadonlySet<string>,
): (name: string) => true | undefined {
  return (name) => {
    if (saves.isTrainable(name)) return true;
    if (!name.endsWith(".bias") || bias === "none") return undefined;
    return bias === "all" || targets.has(name.slice(0, -".bias".length)) ? true : undefined;
  };
}
