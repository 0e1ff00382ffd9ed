/**
 * bfloat16.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { autocast, halfStorage, slowProviderWarning } from "../../blocks/accelerator/mod.ts";

/** Options of {@link bf16}. */
export interface Bf16Options {
  /** How frozen weights of linear layers are stored; their products are the same. */
  readonly storage: "bfloat16" | "float32";
}

/**
 * torch's autocast to bfloat16: products have 16-bit operands and results, and master weights stay float32. It has
 * float32's range, so that no loss is scaled. On a CPU it gives a 16-bit run's numbers, and is no faster.
 *
 * @example
 * ```ts
 * import { bf16 } from "attune/accelerators/bf16";
 * console.assert(bf16().name === "bf16");
 * ```
 */
export const bf16: Factory<"accelerator", Partial<Bf16Options>> = define({
  kind: "accelerator",
  name: "bf16",
  schema: v.strictObject({ storage: v.optional(v.picklist(["bfloat16", "float32"]), "bfloat16") }),
  create: ({ storage }: Bf16Options) => ({
    exact: false,
    ...(storage === "bfloat16" ? { store: () => halfStorage(storage) } : {}),
    notice: (provider) => slowProviderWarning("bf16", provider),
    rewrite: ({ provider }) => autocast("bfloat16", provider),
  }),
});
