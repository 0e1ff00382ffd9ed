/**
 * LoRA: low-rank adaptation of linear layers and embeddings.
 * @module
 */
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { type LoraOptions, loraSchema } from "./lora/options.ts";
import { loraAdapter } from "./lora/peft.ts";

export type { LoraOptions } from "./lora/options.ts";

/**
 * y = W x + b + (α/r) · B A dropout(x) with W frozen (Hu et al. 2022).
 *
 * @throws AttuneError on attaching if no module matches; the message lists those there are.
 * @example
 * ```ts
 * import { lora } from "attune/adapters/lora";
 * console.assert(lora({ r: 4, targetModules: ["query"] }).name === "lora");
 * ```
 */
export const lora: Factory<"adapter", Partial<LoraOptions>> = define({
  kind: "adapter",
  name: "lora",
  schema: loraSchema,
  create: (options) => loraAdapter("lora", loraSchema, options),
});
