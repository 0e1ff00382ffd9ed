/**
 * Pfeiffer's adapters: one bottleneck after the feed-forward of each layer.
 * @module
 */
import type { Factory } from "../../core/types.ts";
import { type BottleneckOptions, defineBottleneck } from "../../blocks/adapter/mod.ts";

/**
 * h ← h + up(f(down(norm(h + x)))) after the feed-forward, x the residual, with the layer's own norm if it has one
 * there (Pfeiffer et al. 2021).
 *
 * @throws AttuneError on attaching if an option does not fit the model.
 * @example
 * ```ts
 * import { pfeiffer } from "attune/adapters/pfeiffer";
 * console.assert(pfeiffer({ reductionFactor: 8 }).name === "pfeiffer");
 * ```
 */
export const pfeiffer: Factory<"adapter", Partial<BottleneckOptions>> = defineBottleneck({
  name: "pfeiffer",
  placement: { mhAdapter: false, outputAdapter: true, originalLnBefore: true, isParallel: false },
  defaults: { reductionFactor: 16, nonLinearity: "relu", scaling: 1, initWeights: "bert" },
});
