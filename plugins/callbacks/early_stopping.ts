/**
 * Early stopping.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory, TrainerControl, TrainingArguments, TrainingEvent } from "../../core/types.ts";
import {
  isBetter,
  type Judge,
  judgedMetricEntries,
  type JudgedMetricOptions,
  judgeOf,
  metricValue,
} from "../../blocks/callback/mod.ts";

/** Options of {@link earlyStopping}. */
export interface EarlyStoppingOptions extends JudgedMetricOptions {
  /** The number of evaluations without enough improvement after which training stops. */
  readonly earlyStoppingPatience: number;
  /** The smallest improvement on the best value so far that counts. */
  readonly earlyStoppingThreshold: number;
}

type State = Readonly<{ best: number | null; bad: number }>;

/**
 * Stops the run when the metric has not improved for some evaluations, like transformers' EarlyStoppingCallback. An
 * evaluation without the metric counts as one without improvement, and the message at the end names its metrics.
 *
 * @example
 * ```ts
 * import { earlyStopping } from "attune/callbacks/early-stopping";
 * const callback = earlyStopping({ earlyStoppingPatience: 1 });
 * const told = (step: number, loss: number) => ({ type: "evaluate", step, epoch: 1, metrics: { loss }, best: false }) as const;
 * const { state } = callback.on(callback.init(), told(1, 0.5));
 * console.assert(callback.on(state, told(2, 0.6)).ask?.stop !== undefined);
 * ```
 */
export const earlyStopping: Factory<"callback", Partial<EarlyStoppingOptions>> = define({
  kind: "callback",
  name: "early-stopping",
  schema: v.strictObject(
    {
      ...judgedMetricEntries,
      earlyStoppingPatience: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 1),
      earlyStoppingThreshold: v.optional(v.pipe(v.number(), v.minValue(0)), 0),
    },
  ),
  create: (options: EarlyStoppingOptions) => ({
    needsEvaluation: (training) => judgeOf(options, training).metric,
    init: (): State => ({ best: null, bad: 0 }),
    on: (
      state: State,
      event: TrainingEvent,
      training?: TrainingArguments,
    ): Readonly<{ state: State; ask?: TrainerControl }> => {
      if (event.type !== "evaluate") return { state };
      const judge = judgeOf(options, training);
      const value = metricValue(judge, event.metrics);
      const better = value !== undefined && (state.best === null || isBetter(judge, value, state.best));
      const enough = better && (state.best === null || Math.abs(value - state.best) > options.earlyStoppingThreshold);
      const next = { best: better ? value : state.best, bad: enough ? 0 : state.bad + 1 };
      if (next.bad < options.earlyStoppingPatience) return { state: next };
      return { state: next, ask: { stop: reason(judge, value, next, Object.keys(event.metrics)) } };
    },
  }),
});

function reason(
  { metric }: Judge,
  value: number | undefined,
  { best, bad }: State,
  names: readonly string[],
): string {
  const what = value === undefined && names.includes(metric)
    ? `${metric} is not a number`
    : value === undefined
    ? `${metric} was not among the metrics (${names.join(", ")})`
    : `${metric} is ${value}, the best was ${best}`;
  return `Early stopping: no improvement in ${bad} ${bad === 1 ? "evaluation" : "evaluations"}; ${what}`;
}
