/**
 * The exponential moving average of weights.
 * @module
 */
import * as v from "valibot";
import { pluginOption } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory, Optimizer } from "../../core/types.ts";
import { adamw } from "./adamw.ts";
import { fraction, moveMean, sizeOf } from "../../blocks/optimizer/mod.ts";

/** Options of {@link ema}. */
export interface EmaOptions {
  /** The optimizer that makes the steps. */
  readonly optimizer: Optimizer;
  /** The share of the average that each step keeps. */
  readonly decay: number;
}

type Input = Readonly<{ optimizer?: unknown; decay?: number }>;

/**
 * Any optimizer with a moving average of the weights, a ← d·a + (1-d)·w, like torch's AveragedModel with
 * get_ema_multi_avg_fn, starting with the weights after the first step. The average is evaluated and saved, the weights
 * are trained; checkpoints hold both.
 *
 * @example
 * ```ts
 * import { adamw } from "attune/optimizers/adamw";
 * import { ema } from "attune/optimizers/ema";
 * console.assert(Object.keys(ema({ optimizer: adamw(), decay: 0.99 }).state([2], "w")).join() === "m,v,average");
 * ```
 */
export const ema: Factory<"optimizer", Input> = define({
  kind: "optimizer",
  name: "ema",
  schema: v.strictObject({
    optimizer: v.optional(pluginOption("optimizer", "an optimizer"), () => adamw()),
    decay: v.optional(fraction, 0.999),
  }) as v.GenericSchema<Input, EmaOptions>,
  create: ({ optimizer, decay }: EmaOptions) => ({
    elementwise: optimizer.elementwise,
    state: (shape, name) => ({ ...optimizer.state(shape, name), average: sizeOf(shape) }),
    ...(optimizer.groups && { groups: optimizer.groups }),
    ...(optimizer.learningRate && { learningRate: optimizer.learningRate }),
    update: (span, update, kernels) => {
      optimizer.update(span, update, kernels);
      const { parameter, state: { average } } = span;
      if (!average) return;
      if (update.step === 1) average.set(parameter);
      for (let i = 0; i < average.length; i++) moveMean(average, i, decay, parameter[i] ?? 0);
    },
    // If idle rows decay, their average lags behind them, so they are not idle.
    decayWithoutGradient: (update) => (optimizer.decayWithoutGradient?.(update) === 1 ? 1 : undefined),
    swapEvaluationWeights: ({ state: { average } }, to) => average && to.set(average),
  }),
});
