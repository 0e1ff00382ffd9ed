/**
 * DoRA: LoRA for a weight's direction, with its magnitude trained separately.
 * @module
 */
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { doraSchema, type LoraOptions } from "./lora/options.ts";
import { loraAdapter } from "./lora/peft.ts";

/**
 * W' = m · (W + (α/r) B A) / ‖W + (α/r) B A‖ by row, the norm a constant to the gradient (Liu et al. 2024).
 *
 * @throws AttuneError on attaching if no module matches; the message lists those there are.
 * @example
 * ```ts
 * import { dora } from "attune/adapters/dora";
 * console.assert(dora({ r: 4, targetModules: ["query"] }).name === "dora");
 * ```
 */
export const dora: Factory<"adapter", Partial<LoraOptions>> = define({
  kind: "adapter",
  name: "dora",
  schema: doraSchema,
  create: (options) => loraAdapter("dora", doraSchema, options),
});
