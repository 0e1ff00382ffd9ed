/** LoRA's ranks and scales, as PEFT's config has them. */
import { patternValue } from "../../core/patterns/module_patterns.ts";
import type { Json, Named } from "../../core/types.ts";

/** The factor of B A in a module's update: alpha / r, or alpha / sqrt(r) in rsLoRA. */
export function loraScale(alpha: number, r: number, rsLora: boolean): number {
  return alpha / (rsLora ? Math.sqrt(r) : r);
}

/** A module's rank. */
export function rankOf(config: Named<Json>, path: string): number {
  return patternValue(path, (config.rank_pattern ?? {}) as Named<number>, Number(config.r));
}

/** A module's alpha. */
export function alphaOf(config: Named<Json>, path: string): number {
  return patternValue(path, (config.alpha_pattern ?? {}) as Named<number>, Number(config.lora_alpha));
}
