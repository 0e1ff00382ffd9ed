/**
 * Houlsby's adapters: a bottleneck behind attention and one behind the feed-forward of each layer.
 * @module
 */
import type * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { bottleneckAdapter, type BottleneckOptions, bottleneckSchema } from "../../blocks/adapter/mod.ts";

/** Schema of {@link BottleneckOptions}. */
export const houlsbySchema: v.GenericSchema<Partial<BottleneckOptions>, BottleneckOptions> = bottleneckSchema({
  reductionFactor: 16,
  nonLinearity: "swish",
  scaling: 1,
  initWeights: "bert",
});

const placement = { mhAdapter: true, outputAdapter: true, originalLnBefore: false, isParallel: false };

/**
 * h ← h + up(f(down(h))) after attention and after the feed-forward, before each residual (Houlsby et al. 2019).
 *
 * @throws AttuneError on attaching where an option does not fit the model.
 * @example
 * ```ts
 * import { houlsby } from "attune/adapters/houlsby";
 * console.assert(houlsby({ reductionFactor: 8 }).name === "houlsby");
 * ```
 */
export const houlsby: Factory<"adapter", Partial<BottleneckOptions>> = define({
  kind: "adapter",
  name: "houlsby",
  schema: houlsbySchema,
  create: (options) => bottleneckAdapter("houlsby", houlsbySchema, placement, options),
});
