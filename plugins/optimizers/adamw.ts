/**
 * AdamW.
 * @module
 */
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { type AmsgradOptions, amsgradSchema, fusedAdam } from "../../blocks/optimizer/mod.ts";

/**
 * Adam with decoupled weight decay (Loshchilov & Hutter 2019), in one fused pass, as torch.optim.AdamW:
 * m ← β₁m + (1-β₁)g, v ← β₂v + (1-β₂)g², w ← w(1 - lr·λ) - lr · m̂ / (√v̂ + ε).
 *
 * @example
 * ```ts
 * import { adamw } from "attune/optimizers/adamw";
 * console.assert(Object.keys(adamw({ weightDecay: 0.01 }).state([2], "w")).join() === "m,v");
 * ```
 */
export const adamw: Factory<"optimizer", Partial<AmsgradOptions>> = define({
  kind: "optimizer",
  name: "adamw",
  schema: amsgradSchema,
  create: (options: AmsgradOptions) => fusedAdam(options, true),
});
