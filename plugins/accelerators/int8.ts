/**
 * Weights as int8, multiplied in int8.
 * @module
 */
import * as v from "valibot";
import { quantizer, quantizerEntries, type QuantizerOptions } from "../../blocks/accelerator/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { encodeInt8, outputInt8, trainedInt8 } from "../../formats/quantization/output_int8.ts";

/** Options of {@link int8}. */
export interface Int8Options extends QuantizerOptions {
  /** Whether products are computed in int8, or in float32 over decoded weights (trainable ones: as they are). */
  readonly forward: "int8" | "float32";
  /** The same for products of weights and gradients, which have one scale per row in int8. */
  readonly backward: "int8" | "float32";
  /** Whether activations have one scale per row, or a single one, which is faster but bad for language models. */
  readonly activationScale: "row" | "tensor";
}

/**
 * 8-bit integers with a scale per output, and products in int8. With an adapter, frozen linear layers are stored that
 * way, in a quarter of the memory. Without one, trained linear layers stay float32, and so do their gradients: each
 * pass rounds the weights anew for its products; evaluation and saved files are not affected.
 *
 * @example
 * ```ts
 * import { int8 } from "attune/accelerators/int8";
 * console.assert(int8({ backward: "int8" }).name === "int8");
 * ```
 */
export const int8: Factory<"accelerator", Partial<Int8Options>> = define({
  kind: "accelerator",
  name: "int8",
  schema: v.strictObject({
    forward: v.optional(v.picklist(["int8", "float32"]), "int8"),
    backward: v.optional(v.picklist(["float32", "int8"]), "float32"),
    activationScale: v.optional(v.picklist(["row", "tensor"]), "row"),
    ...quantizerEntries,
  }),
  create: (options: Int8Options) => {
    const products = trainedInt8(options);
    return {
      ...quantizer("int8", options, {
        format: outputInt8(options),
        encode: (values, { dims }) => encodeInt8(values, dims, options),
      }),
      ...(products ? { multiply: () => products } : {}),
    };
  },
});
