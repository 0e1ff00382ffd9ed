/**
 * Expected calibration error.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, MetricInputs } from "../../core/types.ts";
import { argmax, finite, scoresOf } from "../../blocks/metric/mod.ts";

/** Options of {@link expectedCalibrationError}. */
export interface ExpectedCalibrationErrorOptions {
  /** How many bins of equal width confidence is cut into. */
  readonly bins: number;
}

/** For each bin its rows, its right rows, and the sum of confidences. */
type State = { rows: number; bins: [count: number, right: number, confidence: number][] };

/**
 * How far confidence, the largest probability, is from accuracy: Σ share · |accuracy - mean confidence| over the bins
 * (i/n, (i+1)/n] (Guo et al. 2017).
 *
 * @throws AttuneError from `update` if there are no scores.
 * @example
 * ```ts
 * import { expectedCalibrationError } from "attune/metrics/expected-calibration-error";
 * const metric = expectedCalibrationError({ bins: 10 });
 * const state = metric.update(metric.init(), { prediction: 1, reference: 1, scores: [0.25, 0.75] });
 * console.assert(metric.compute(state)["expected-calibration-error"] === 0.25);
 * ```
 */
export const expectedCalibrationError: Factory<"metric", Partial<ExpectedCalibrationErrorOptions>> = define({
  kind: "metric",
  name: "expected-calibration-error",
  schema: v.strictObject({ bins: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10000)), 15) }),
  create: ({ bins: n }: ExpectedCalibrationErrorOptions) => ({
    reads: ["label"],
    greaterIsBetter: false,
    init: (): State => ({ rows: 0, bins: Array.from({ length: n }, () => [0, 0, 0]) }),
    update: (state: State, example: MetricInputs["label"]) => {
      const scores = scoresOf("expected-calibration-error", example);
      const best = scores.length === 1 && (scores[0] ?? 0) < 0.5 ? 0 : scores.length === 1 ? 1 : argmax(scores);
      const confidence = scores.length === 1 ? Math.max(scores[0] ?? 0, 1 - (scores[0] ?? 0)) : scores[best] ?? 0;
      state.rows++;
      // A confidence that is not finite is in no bin, and makes the metric null.
      const bin = Number.isFinite(confidence) ? state.bins[binOf(confidence, n)] : undefined;
      if (bin) {
        bin[0]++;
        bin[1] += best === example.reference ? 1 : 0;
        bin[2] += confidence;
      }
      return state;
    },
    merge: (a: State, b: State): State => ({
      rows: a.rows + b.rows,
      bins: a.bins.map(([count, right, confidence], i) => {
        const [c, r, s] = b.bins[i] ?? [0, 0, 0];
        return [count + c, right + r, confidence + s];
      }),
    }),
    compute: ({ rows, bins }: State) => {
      const binned = bins.reduce((sum, [count]) => sum + count, 0);
      const gap = bins.reduce((sum, [, right, confidence]) => sum + Math.abs(right - confidence), 0);
      return { "expected-calibration-error": finite(binned === rows ? gap / rows : NaN) };
    },
  }),
});

/** Returns the bin (i/n, (i+1)/n] of a confidence, by comparing with its edges, so that rounding cannot cross one. */
function binOf(confidence: number, n: number): number {
  let i = Math.min(Math.max(Math.ceil(confidence * n) - 1, 0), n - 1);
  while (i > 0 && confidence <= i / n) i--;
  while (i < n - 1 && confidence > (i + 1) / n) i++;
  return i;
}
