/**
 * Accuracy.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, MetricInputs } from "../../core/types.ts";
import { classesOf, meanMetric } from "../../blocks/metric/mod.ts";

/**
 * The share of correct rows; with several labels per row, of rows whose labels are all correct (scikit-learn's subset
 * accuracy).
 *
 * @throws AttuneError from `update` if a class is not a whole number.
 * @example
 * ```ts
 * import { accuracy } from "attune/metrics/accuracy";
 * const metric = accuracy();
 * const half = metric.update(metric.update(metric.init(), { prediction: 1, reference: 1 }), { prediction: 0, reference: 1 });
 * console.assert(metric.compute(half).accuracy === 0.5);
 * ```
 */
export const accuracy: Factory<"metric"> = define({
  kind: "metric",
  name: "accuracy",
  schema: v.strictObject({}),
  create: () =>
    meanMetric("accuracy", ["label", "labels"], ({ prediction, reference }: MetricInputs["label" | "labels"]) => {
      const predicted = classesOf("accuracy", "prediction", prediction);
      const actual = classesOf("accuracy", "reference", reference);
      return predicted.length === actual.length && predicted.every((label) => actual.includes(label)) ? 1 : 0;
    }, { greaterIsBetter: true }),
});
