/**
 * Keeps the best weights of a run.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, TrainerControl, TrainingArguments, TrainingEvent } from "../../core/types.ts";
import {
  isBetter,
  judgedMetricEntries,
  type JudgedMetricOptions,
  judgeOf,
  metricValue,
} from "../../blocks/callback/mod.ts";

type State = Readonly<{ best: number | null }>;

/**
 * Keeps the trained weights whenever an evaluation is the best so far, to restore them at the end.
 *
 * @example
 * ```ts
 * import { bestWeights } from "attune/callbacks/best-weights";
 * const callback = bestWeights({ metric: "accuracy" });
 * const { ask } = callback.on(callback.init(), { type: "evaluate", step: 1, epoch: 1, metrics: { accuracy: 0.5 }, best: false });
 * console.assert(ask?.keep === true);
 * ```
 */
export const bestWeights: Factory<"callback", Partial<JudgedMetricOptions>> = define({
  kind: "callback",
  name: "best-weights",
  schema: v.strictObject(judgedMetricEntries),
  create: (options: JudgedMetricOptions) => ({
    needsEvaluation: (training) => judgeOf(options, training).metric,
    init: (): State => ({ best: null }),
    on: (
      state: State,
      event: TrainingEvent,
      training?: TrainingArguments,
    ): Readonly<{ state: State; ask?: TrainerControl }> => {
      const judge = judgeOf(options, training);
      const value = event.type === "evaluate" ? metricValue(judge, event.metrics) : undefined;
      if (value === undefined || (state.best !== null && !isBetter(judge, value, state.best))) return { state };
      return { state: { best: value }, ask: { keep: true } };
    },
  }),
});
