/**
 * Parallel adapters: a scaled bottleneck beside the feed-forward of each layer.
 * @module
 */
import type * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { bottleneckAdapter, type BottleneckOptions, bottleneckSchema } from "../../blocks/adapter/mod.ts";

/** Schema of {@link BottleneckOptions}. */
export const parallelSchema: v.GenericSchema<Partial<BottleneckOptions>, BottleneckOptions> = bottleneckSchema({
  reductionFactor: 2,
  nonLinearity: "relu",
  scaling: 4,
  initWeights: "mam_adapter",
});

const placement = { mhAdapter: false, outputAdapter: true, originalLnBefore: false, isParallel: true };

/**
 * h ← h + s · up(f(down(x))) parallel to the feed-forward, x the residual (He et al. 2022).
 *
 * @throws AttuneError on attaching where an option does not fit the model.
 * @example
 * ```ts
 * import { parallel } from "attune/adapters/parallel";
 * console.assert(parallel({ reductionFactor: 8 }).name === "parallel");
 * ```
 */
export const parallel: Factory<"adapter", Partial<BottleneckOptions>> = define({
  kind: "adapter",
  name: "parallel",
  schema: parallelSchema,
  create: (options) => bottleneckAdapter("parallel", parallelSchema, placement, options),
});
