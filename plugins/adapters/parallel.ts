/**
 * Parallel adapters: a scaled bottleneck parallel to the feed-forward of each layer.
 * @module
 */
import type { Factory } from "../../core/types.ts";
import { type BottleneckOptions, defineBottleneck } from "../../blocks/adapter/mod.ts";

/**
 * h ← h + s · up(f(down(x))) parallel to the feed-forward, x the residual (He et al. 2022).
 *
 * @throws AttuneError on attaching if an option does not fit the model.
 * @example
 * ```ts
 * import { parallel } from "attune/adapters/parallel";
 * console.assert(parallel({ reductionFactor: 8 }).name === "parallel");
 * ```
 */
export const parallel: Factory<"adapter", Partial<BottleneckOptions>> = defineBottleneck({
  name: "parallel",
  placement: { mhAdapter: false, outputAdapter: true, originalLnBefore: false, isParallel: true },
  defaults: { reductionFactor: 2, nonLinearity: "relu", scaling: 4, initWeights: "mam_adapter" },
});
