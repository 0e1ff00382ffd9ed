/**
 * float16 with loss scaling.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { autocast, halfStorage, slowProviderWarning } from "../../blocks/accelerator/mod.ts";

/** Options of {@link fp16}: the first four are those of torch's GradScaler. */
export interface Fp16Options {
  /** The loss scale in the first step. */
  readonly initScale: number;
  /** The factor by which it grows. */
  readonly growthFactor: number;
  /** The factor by which it shrinks when gradients overflow. */
  readonly backoffFactor: number;
  /** The number of good steps in a row after which it grows. */
  readonly growthInterval: number;
  /** How frozen weights of linear layers are stored; their products are the same. */
  readonly storage: "float16" | "float32";
}

/** The largest float32, since the loss scale is a float32. */
const MOST = 3.4028234663852886e38;

/**
 * torch's autocast to float16 with GradScaler (Micikevicius et al. 2018): products have 16-bit operands and results,
 * and master weights stay float32. The loss is scaled so that small gradients survive, and steps whose gradients
 * overflow are skipped. On a CPU it gives a 16-bit run's numbers, and is no faster.
 *
 * @example
 * ```ts
 * import { fp16 } from "attune/accelerators/fp16";
 * console.assert(fp16({ growthInterval: 100 }).name === "fp16");
 * ```
 */
export const fp16: Factory<"accelerator", Partial<Fp16Options>> = define({
  kind: "accelerator",
  name: "fp16",
  schema: v.strictObject({
    initScale: v.optional(v.pipe(v.number(), v.gtValue(0), v.maxValue(MOST)), 65536),
    growthFactor: v.optional(v.pipe(v.number(), v.gtValue(1), v.maxValue(MOST)), 2),
    backoffFactor: v.optional(v.pipe(v.number(), v.gtValue(0), v.ltValue(1)), 0.5),
    growthInterval: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 2000),
    storage: v.optional(v.picklist(["float16", "float32"]), "float16"),
  }),
  create: ({ storage, ...lossScale }: Fp16Options) => ({
    exact: false,
    lossScale,
    ...(storage === "float16" ? { store: () => halfStorage(storage) } : {}),
    notice: (provider) => slowProviderWarning("fp16", provider),
    rewrite: ({ provider }) => autocast("float16", provider),
  }),
});
