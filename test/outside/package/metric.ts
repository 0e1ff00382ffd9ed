import { meanMetric } from "attune/blocks/metric";
import { define, type MetricInputs } from "attune/kit";
import * as v from "valibot";

/** The mean of the score that the right class had. */
export const confidence = define({
  kind: "metric",
  name: "confidence",
  schema: v.strictObject({}),
  create: () =>
    meanMetric("confidence", ["label"], ({ reference, scores }: MetricInputs["label"]) => scores?.[reference] ?? 0, {
      greaterIsBetter: true,
    }),
});
