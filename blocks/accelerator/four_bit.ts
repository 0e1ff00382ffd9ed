/** What nf4 and fp4 share: everything but their code tables. */
import * as v from "valibot";
import {
  type ComputeDtype,
  computeDtypeSchema,
  quantizer,
  quantizerEntries,
  type QuantizerOptions,
} from "./quantizer.ts";
import type { Accelerator, Named, Plugin, Tensor } from "../../core/types.ts";
import { type FourBitType, quantizeAbsmax, quantizeFourBit } from "../../formats/quantization/bitsandbytes.ts";
import { codeBlocks } from "../../formats/quantization/code_blocks.ts";

/** Options of `nf4` and `fp4`. */
export interface FourBitOptions extends QuantizerOptions {
  /** How many weights share one maximum, along the flattened [out, in] weight. */
  readonly blockSize: number;
  /** Whether the block maxima are quantized, too: to 8 bits in blocks of 256. */
  readonly useDoubleQuant: boolean;
  /** The type to which activations and decoded weights are rounded before each product. */
  readonly computeDtype: ComputeDtype;
}

/** Schema of {@link FourBitOptions}. */
export const fourBitSchema: v.GenericSchema<Partial<FourBitOptions>, FourBitOptions> = v.strictObject({
  blockSize: v.optional(v.picklist([32, 64, 128, 256, 512, 1024, 2048, 4096]), 64),
  useDoubleQuant: v.optional(v.boolean(), false),
  computeDtype: computeDtypeSchema,
  ...quantizerEntries,
});

/** Returns an accelerator that stores weights in a 4-bit type. */
export function fourBit(type: FourBitType, options: FourBitOptions): Omit<Accelerator, keyof Plugin> {
  const { blockSize, useDoubleQuant, computeDtype } = options;
  const format = codeBlocks({ type, blockSize, useDoubleQuant, computeDtype });
  const of = (data: Tensor["data"], dtype: Tensor["dtype"]): Tensor => ({ dtype, dims: [data.length], data });
  const encode = (values: Float32Array): Named<Tensor> => {
    const { codes, absmax } = quantizeFourBit(values, type, blockSize);
    if (!useDoubleQuant) return { codes: of(codes, "uint8"), absmax: of(absmax, "float32") };
    const nested = quantizeAbsmax(absmax);
    return {
      codes: of(codes, "uint8"),
      absmaxCodes: of(nested.codes, "uint8"),
      nestedAbsmax: of(nested.nestedAbsmax, "float32"),
      offset: of(Float32Array.of(nested.offset), "float32"),
    };
  };
  return { ...quantizer(type, options, { format, encode }), python: (skipped) => pythonOf(type, options, skipped) };
}

/** Hugging Face's configuration of the same codes, which has blocks of 64 only. */
function pythonOf(
  type: FourBitType,
  { blockSize, useDoubleQuant, computeDtype }: FourBitOptions,
  modules: readonly string[] | undefined,
): string | undefined {
  if (blockSize !== 64) return undefined;
  const skipped = modules ? `, llm_int8_skip_modules=${JSON.stringify(modules)}` : "";
  return `BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="${type}", ` +
    `bnb_4bit_use_double_quant=${useDoubleQuant ? "True" : "False"}, ` +
    `bnb_4bit_compute_dtype=torch.${computeDtype}${skipped})`;
}
