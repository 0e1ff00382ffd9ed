/** PEFT's modules_to_save: modules that are fully trained along with an adapter. */
import type { AttachContext, Json, Named, Weights } from "../../core/types.ts";
import { classifierModules, spanModules } from "../hf/head_modules.ts";

/** Modules that PEFT adds by itself, wherever they are in the model. */
const automatic = [...classifierModules, ...spanModules];

/**
 * Whether a head's module was trained along with a saved adapter: it is in the adapter's file, or PEFT's rule adds it.
 * If not, it keeps the checkpoint's values.
 */
export function isModuleSaved(
  module: string,
  { config, weights }: Readonly<{ config: Named<Json>; weights: Weights }>,
  { isInCheckpoint: stored }: AttachContext,
): boolean {
  const asked = Array.isArray(config.modules_to_save) ? config.modules_to_save : [];
  return automatic.includes(module) || asked.includes(module) || !stored?.(module) ||
    // Adapters that train every bias have biases in their files, too.
    weights.names.some((name) => name.startsWith(`${module}.`) && !/\.lora_|bias$/.test(name));
}

/** Modules that are fully trained along with an adapter. */
export type SavedModules = Readonly<{
  names: readonly string[] | null;
  /** Whether the module at `path` is one of them, or inside one. */
  has(path: string): boolean;
  /** Whether a parameter is in one of them, in the form of `AttachedAdapter.isTrainable`. */
  isTrainable(name: string): true | undefined;
  /** As `has`: a fully trained module is a copy, and shares no tensors. */
  copies(module: string): boolean;
}>;

/**
 * Returns the modules that are asked for and those of the head. A name matches the end of a path, even within a word:
 * "classifier" also means "pre_classifier".
 */
export function savedModules(asked: readonly string[] | null, head: readonly string[]): SavedModules {
  const names = [...new Set([...(asked ?? []), ...head])];
  const has = (path: string): boolean => {
    const parts = path.split(".");
    return parts.some((_, i) => names.some((name) => parts.slice(0, i + 1).join(".").endsWith(name)));
  };
  return {
    names: names.length > 0 ? names : null,
    has,
    isTrainable: (name) => (has(name.slice(0, name.lastIndexOf("."))) ? true : undefined),
    copies: has,
  };
}
