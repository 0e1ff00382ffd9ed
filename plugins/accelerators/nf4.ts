/**
 * Frozen weights in bitsandbytes' nf4.
 * @module
 */
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { fourBit, type FourBitOptions, fourBitSchema } from "../../blocks/accelerator/mod.ts";

/**
 * 4-bit NormalFloat (QLoRA, Dettmers et al. 2023), with codes equal to those of bitsandbytes to the bit: an eighth of
 * the memory, decoded exactly for each product. For frozen linear layers under an adapter.
 *
 * @example
 * ```ts
 * import { nf4 } from "attune/accelerators/nf4";
 * console.assert(nf4({ useDoubleQuant: true }).name === "nf4");
 * ```
 */
export const nf4: Factory<"accelerator", Partial<FourBitOptions>> = define({
  kind: "accelerator",
  name: "nf4",
  schema: fourBitSchema,
  create: (options) => fourBit("nf4", options),
});
