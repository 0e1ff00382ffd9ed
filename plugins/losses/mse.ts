/**
 * Mean squared error.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import { reshape, square, sub, sum } from "../../core/graph/functions.ts";
import type { Factory } from "../../core/types.ts";

/** No options. */
export type MseOptions = Readonly<Record<never, never>>;

/** Schema of {@link MseOptions}. */
export const mseSchema: v.GenericSchema<MseOptions, MseOptions> = v.strictObject({});

/**
 * (x - t)², the mean over all elements.
 *
 * @example
 * ```ts
 * import { mse } from "attune/losses/mse";
 * console.assert(mse().over === "batch");
 * ```
 */
export const mse: Factory<"loss", MseOptions> = define({
  kind: "loss",
  name: "mse",
  schema: mseSchema,
  create: () => ({
    over: "batch",
    sum: (_, output, target) => sum(square(sub(output, reshape(target, output.shape)))),
    count: (target) => target.data.length,
  }),
});
