/**
 * F-beta.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { averageOver, averagingEntries, type AveragingOptions } from "../../blocks/metric/mod.ts";

/** Options of {@link fBeta}. */
export interface FBetaOptions extends AveragingOptions {
  /** How many times as important recall is as precision. */
  readonly beta: number;
}

type Input = Partial<AveragingOptions> & Pick<FBetaOptions, "beta">;

/**
 * (1+β²)·tp / ((1+β²)·tp + β²·fn + fp), averaged over classes as scikit-learn does. Key: `f-beta_` and the average.
 *
 * @throws AttuneError from `compute` if `average` is `binary` and there are more than two classes.
 * @example
 * ```ts
 * import { fBeta } from "attune/metrics/f-beta";
 * const metric = fBeta({ beta: 2 });
 * console.assert(metric.compute(metric.update(metric.init(), { prediction: 1, reference: 1 }))["f-beta_binary"] === 1);
 * ```
 */
export const fBeta: Factory<"metric", Input> = define({
  kind: "metric",
  name: "f-beta",
  schema: v.strictObject({
    ...averagingEntries,
    beta: v.pipe(v.number(), v.finite(), v.minValue(0)),
  }),
  create: (options: FBetaOptions) =>
    averageOver("f-beta", options, options.beta, (scores, suffix) => ({ [`f-beta_${suffix}`]: scores.f })),
});
