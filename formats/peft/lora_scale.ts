/** LoRA's ranks and scales, from PEFT's config. */
import { patternValue } from "../../core/patterns/module_patterns.ts";
import type { Json, Named } from "../../core/types.ts";

/** Returns the factor of B A in a module's update: alpha / r, or alpha / sqrt(r) in rsLoRA. */
export function loraScale(alpha: number, r: number, rsLora: boolean): number {
  return alpha / (rsLora ? Math.sqrt(r) : r);
}

/** Returns the rank of the module at `path`. */
export function rankOf(config: Named<Json>, path: string): number {
  return patternValue(path, (config.rank_pattern ?? {}) as Named<number>, Number(config.r));
}

/** Returns the alpha of the module at `path`. */
export function alphaOf(config: Named<Json>, path: string): number {
  return patternValue(path, (config.alpha_pattern ?? {}) as Named<number>, Number(config.lora_alpha));
}
