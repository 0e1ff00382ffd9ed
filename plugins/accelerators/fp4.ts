/**
 * Frozen weights in bitsandbytes' fp4.
 * @module
 */
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { fourBit, type FourBitOptions, fourBitSchema } from "./four_bit.ts";

/**
 * Floats of 4 bits, of bitsandbytes: codes bit for bit as bitsandbytes makes them, an eighth of
 * the bytes, decoded exactly where products read them. For frozen linear layers under an adapter.
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
