/**
 * Frozen weights in linear codes of 4 bits.
 * @module
 */
import * as v from "valibot";
import {
  type ComputeDtype,
  computeDtypeSchema,
  quantizer,
  quantizerEntries,
  type QuantizerOptions,
} from "../../blocks/accelerator/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { type LinearBlocks, linearBlocks } from "../../formats/quantization/linear_blocks.ts";
import { encodeLinear } from "../../formats/quantization/linear_quantizer.ts";

/** Options of {@link int4}. */
export interface Int4Options extends QuantizerOptions {
  /** How many inputs of an output share one scale. */
  readonly blockSize: number;
  /** Whether codes are symmetric around zero; if not, each block has its own zero point. */
  readonly symmetric: boolean;
  /** 4: products round activations to int8, block by block, which is faster; 0: they do not. */
  readonly accuracyLevel: 0 | 4;
  /** Whether the scales are quantized, too: to 8 bits in blocks of 256. */
  readonly useDoubleQuant: boolean;
  /** The type to which activations and decoded weights are rounded before each product. */
  readonly computeDtype: ComputeDtype;
}

/**
 * 4-bit integers with a scale per block of inputs, in the layout of ONNX Runtime's MatMulNBits. For frozen linear
 * layers under an adapter.
 *
 * @example
 * ```ts
 * import { int4 } from "attune/accelerators/int4";
 * console.assert(int4({ symmetric: false }).name === "int4");
 * ```
 */
export const int4: Factory<"accelerator", Partial<Int4Options>> = define({
  kind: "accelerator",
  name: "int4",
  schema: v.pipe(
    v.strictObject({
      blockSize: v.optional(v.picklist([16, 32, 64, 128, 256]), 32),
      symmetric: v.optional(v.boolean(), true),
      accuracyLevel: v.optional(v.picklist([0, 4]), 0),
      useDoubleQuant: v.optional(v.boolean(), false),
      computeDtype: computeDtypeSchema,
      ...quantizerEntries,
    }),
    v.check(
      ({ accuracyLevel, computeDtype }) => accuracyLevel === 0 || computeDtype === "float32",
      'accuracyLevel 4 rounds activations to int8, so computeDtype must be "float32"',
    ),
  ),
  create: (options: Int4Options) => {
    const { blockSize, useDoubleQuant, computeDtype, accuracyLevel, symmetric } = options;
    const blocks: LinearBlocks = {
      blockSize,
      useDoubleQuant,
      computeDtype,
      accuracyLevel,
      bits: 4,
      hasZeros: !symmetric,
      wholeZeros: true,
    };
    return quantizer("int4", options, {
      format: linearBlocks(blocks),
      encode: (values, { dims }) => encodeLinear(values, dims, blocks),
    });
  },
});
