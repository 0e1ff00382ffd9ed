/**
 * Adam.
 * @module
 */
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { type AmsgradOptions, amsgradSchema, fusedAdam } from "../../blocks/optimizer/mod.ts";

/**
 * Adam (Kingma & Ba 2015) as torch.optim.Adam: weight decay is an L2 term of the gradient, g ← g + λw,
 * m ← β₁m + (1-β₁)g, v ← β₂v + (1-β₂)g², w ← w - lr · m̂ / (√v̂ + ε).
 *
 * @example
 * ```ts
 * import { adam } from "attune/optimizers/adam";
 * console.assert(adam({ amsgrad: true }).state([2], "w").largest === 2);
 * ```
 */
export const adam: Factory<"optimizer", Partial<AmsgradOptions>> = define({
  kind: "optimizer",
  name: "adam",
  schema: amsgradSchema,
  create: (options: AmsgradOptions) => fusedAdam(options, false),
});
