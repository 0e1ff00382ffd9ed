/** The options of quantizers, and the weights that they refuse. */
import * as v from "valibot";
import { badValue } from "../../core/base/errors.ts";
import type { Accelerator, LinearWeight, Plugin, WeightStorage } from "../../core/types.ts";

/** The options that all quantizers have. */
export interface QuantizerOptions {
  /** Further modules to keep in float32: a full name, a dotted part of it, or its end. */
  readonly skipModules: readonly string[];
  /** Modules to quantize, named in the same way. Absent: all frozen linear layers. */
  readonly targetModules?: readonly string[] | undefined;
  /**
   * The largest allowed change of the mean loss, in nats; a larger one ends the run before step one. Absent: no limit.
   */
  readonly maxLossDrift?: number | undefined;
}

const modules = v.array(v.pipe(v.string(), v.nonEmpty()));

/** Schema entries of {@link QuantizerOptions}, to be spread into the plugin's own schema. */
export const quantizerEntries: Readonly<{
  skipModules: v.GenericSchema<readonly string[] | undefined, readonly string[]>;
  targetModules: v.GenericSchema<readonly string[] | undefined>;
  maxLossDrift: v.GenericSchema<number | undefined>;
}> = {
  skipModules: v.optional(modules, () => []),
  targetModules: v.optional(v.pipe(modules, v.minLength(1))),
  maxLossDrift: v.optional(v.pipe(v.number(), v.minValue(0))),
};

/** The dtypes in which products may be computed. */
export type ComputeDtype = "float32" | "float16" | "bfloat16";

/** Schema of {@link ComputeDtype}. */
export const computeDtypeSchema: v.GenericSchema<ComputeDtype | undefined, ComputeDtype> = v.optional(
  v.picklist(["float32", "float16", "bfloat16"]),
  "float32",
);

/**
 * Refuses a weight with a value that is not finite, which no code represents.
 *
 * @throws AttuneError that names the value.
 */
function refuseNonFinite(plugin: string, values: Float32Array, { name, dims: [, inputs] }: LinearWeight): void {
  let at = 0;
  while (at < values.length && Number.isFinite(values[at])) at++;
  if (at === values.length) return;
  const place = `${name}[${Math.floor(at / inputs)}, ${at % inputs}]`;
  throw badValue(plugin, place, String(values[at]), "a finite number, to be quantized");
}

/**
 * Returns an accelerator that stores every weight it quantizes in one format; values that are not finite are refused
 * before they are encoded.
 *
 * @example
 * ```ts
 * import { quantizer } from "attune/blocks/accelerator";
 * console.assert(quantizer("mine", { skipModules: [] }, {} as never).needsFrozenWeights === true);
 * ```
 */
export function quantizer(
  plugin: string,
  { skipModules, targetModules, maxLossDrift }: QuantizerOptions,
  { format, encode }: WeightStorage,
): Omit<Accelerator, keyof Plugin> {
  return {
    exact: false,
    modules: { skipModules, targetModules },
    needsFrozenWeights: true,
    maxLossDrift,
    store: () => ({
      format,
      encode: (values, weight) => {
        refuseNonFinite(plugin, values, weight);
        return encode(values, weight);
      },
    }),
  };
}
