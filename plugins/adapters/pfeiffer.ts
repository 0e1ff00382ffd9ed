/**
 * Pfeiffer's adapters: one bottleneck behind the feed-forward of each layer.
 * @module
 */
import type * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { bottleneckAdapter, type BottleneckOptions, bottleneckSchema } from "../../blocks/adapter/mod.ts";

/** Schema of {@link BottleneckOptions}. */
export const pfeifferSchema: v.GenericSchema<Partial<BottleneckOptions>, BottleneckOptions> = bottleneckSchema({
  reductionFactor: 16,
  nonLinearity: "relu",
  scaling: 1,
  initWeights: "bert",
});

const placement = { mhAdapter: false, outputAdapter: true, originalLnBefore: true, isParallel: false };

/**
 * h ← h + up(f(down(norm(h + x)))) after the feed-forward, x the residual, with the layer's own norm if it has one
 * there (Pfeiffer et al. 2021).
 *
 * @throws AttuneError on attaching where an option does not fit the model.
 * @example
 * ```ts
 * import { pfeiffer } from "attune/adapters/pfeiffer";
 * console.assert(pfeiffer({ reductionFactor: 8 }).name === "pfeiffer");
 * ```
 */
export const pfeiffer: Factory<"adapter", Partial<BottleneckOptions>> = define({
  kind: "adapter",
  name: "pfeiffer",
  schema: pfeifferSchema,
  create: (options) => bottleneckAdapter("pfeiffer", pfeifferSchema, placement, options),
});
