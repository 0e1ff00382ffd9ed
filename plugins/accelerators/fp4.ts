/**
 * Frozen weights in bitsandbytes' fp4.
 * @module
 */
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { fourBit, type FourBitOptions, fourBitSchema } from "../../blocks/accelerator/mod.ts";

/**
 * 4-bit floats of bitsandbytes, with codes equal to the bit: an eighth of the memory, decoded exactly for each product.
 * For frozen linear layers under an adapter.
 *
 * @example
 * ```ts
 * import { fp4 } from "attune/accelerators/fp4";
 * console.assert(fp4({ useDoubleQuant: true }).name === "fp4");
 * ```
 */
export const fp4: Factory<"accelerator", Partial<FourBitOptions>> = define({
  kind: "accelerator",
  name: "fp4",
  schema: fourBitSchema,
  create: (options) => fourBit("fp4", options),
});
