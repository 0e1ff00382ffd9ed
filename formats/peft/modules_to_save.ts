/** PEFT's modules_to_save: modules that train whole beside an adapter. */
import type { AttachContext, Json, Named, Weights } from "../../core/types.ts";
import { classifierModules, spanModules } from "../hf/head_modules.ts";

/** Modules that PEFT adds by itself, whatever they are part of. */
const automatic = [...classifierModules, ...spanModules];

/** Whether a head's module trained beside a saved adapter: it is in the file, or PEFT's rule puts it there; else it stays as the checkpoint has it. */
export function isModuleSaved(
  module: string,
  { config, weights }: Readonly<{ config: Named<Json>; weights: Weights }>,
  { isInCheckpoint: stored }: AttachContext,
): boolean {
  const asked = Array.isArray(config.modules_to_save) ? config.modules_to_save : [];
  return automatic.includes(module) || asked.includes(module) || !stored?.(module) ||
    // Biases are also in files of adapters that train every bias.
    weights.names.some((name) => name.startsWith(`${module}.`) && !/\.lora_|bias$/.test(name));
}

/** Modules that train whole beside an adapter. */
export type SavedModules = Readonly<{
  names: readonly string[] | null;
  /** Whether a module's path is one of them, or inside one. */
  has(path: string): boolean;
  /** Whether a parameter is theirs, as `AttachedAdapter.isTrainable` answers. */
  isTrainable(name: string): true | undefined;
  /** As `has`: what trains whole is a copy, and shares nothing. */
  copies(module: string): boolean;
}>;

/**
 * Those that are asked for and the head's own. A name is taken for the end of a path, without a dot: "classifier" also
 * means "pre_classifier".
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
