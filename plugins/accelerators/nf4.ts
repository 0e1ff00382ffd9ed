/**
 * Frozen weights in bitsandbytes' nf4.
 * @module
 */
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { fourBit, type FourBitOptions, fourBitSchema } from "./four_bit.ts";

/**
 * NormalFloat of 4 bits (Dettmers et al. 2023), QLoRA's: codes bit for bit as bitsandbytes makes them, an eighth of
 * the bytes, decoded exactly where products read them. For frozen linear layers under an adapter.
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
