/**
 * Houlsby's adapters: a bottleneck after attention and one after the feed-forward of each layer.
 * @module
 */
import type { Factory } from "../../core/types.ts";
import { type BottleneckOptions, defineBottleneck } from "../../blocks/adapter/mod.ts";

/**
 * h ← h + up(f(down(h))) after attention and after the feed-forward, before each residual (Houlsby et al. 2019).
 *
 * @throws AttuneError on attaching if an option does not fit the model.
 * @example
 * ```ts
 * import { houlsby } from "attune/adapters/houlsby";
 * console.assert(houlsby({ reductionFactor: 8 }).name === "houlsby");
 * ```
 */
export const houlsby: Factory<"adapter", Partial<BottleneckOptions>> = defineBottleneck({
  name: "houlsby",
  placement: { mhAdapter: true, outputAdapter: true, originalLnBefore: false, isParallel: false },
  defaults: { reductionFactor: 16, nonLinearity: "swish", scaling: 1, initWeights: "bert" },
});
