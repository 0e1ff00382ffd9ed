/**
 * Binary cross entropy over independent labels.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import { mul, softplus, sub, sum } from "../../core/graph/functions.ts";
import type { Factory } from "../../core/types.ts";

/** No options. */
export type BceWithLogitsOptions = Readonly<Record<never, never>>;

/** Schema of {@link BceWithLogitsOptions}. */
export const bceWithLogitsSchema: v.GenericSchema<BceWithLogitsOptions, BceWithLogitsOptions> = v.strictObject({});

/**
 * ln(1 + eˣ) - x·t, the mean over all rows and labels, as torch's BCEWithLogitsLoss.
 *
 * @example
 * ```ts
 * import { bceWithLogits } from "attune/losses/bce-with-logits";
 * console.assert(bceWithLogits().count({ dtype: "float32", dims: [2, 3], data: new Float32Array(6) }) === 6);
 * ```
 */
export const bceWithLogits: Factory<"loss", BceWithLogitsOptions> = define({
  kind: "loss",
  name: "bce-with-logits",
  schema: bceWithLogitsSchema,
  create: () => ({
    over: "batch",
    sum: (_, logits, target) => sum(sub(softplus(logits), mul(logits, target))),
    count: (target) => target.data.length,
  }),
});
