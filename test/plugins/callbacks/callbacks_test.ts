import assert from "node:assert/strict";
import { test } from "node:test";
import type { Callback, Named, TrainingArguments, TrainingEvent } from "../../../core/types.ts";
import { AttuneError } from "../../../core/base/errors.ts";
import { bestWeights } from "../../../plugins/callbacks/best_weights.ts";
import { earlyStopping } from "../../../plugins/callbacks/early_stopping.ts";
import { checksOf } from "../../../conformance/mod.ts";
import { itPasses } from "../../checks.ts";

const evaluated = (metrics: Named<number>, step = 1): TrainingEvent => ({
  type: "evaluate",
  step,
  epoch: step,
  metrics,
  best: false,
});
const losses = [0.9, 0.8, 0.85, 0.7, 0.75, 0.72, 0.71];
const stepped: TrainingEvent = {
  type: "step",
  step: 1,
  epoch: 1,
  loss: 1,
  losses: {},
  gradNorm: 1,
  learningRate: 1,
  tokens: 1,
  samples: 1,
  skipped: false,
};
const events = losses.flatMap((loss, i) => [stepped, evaluated({ loss, accuracy: 1 - loss }, i + 1)]);

itPasses("early-stopping", checksOf(earlyStopping({ earlyStoppingPatience: 3 }), { events }));
itPasses("best-weights", checksOf(bestWeights(), { events }));

/** At which of some evaluations something was asked for. */
function asked(callback: Callback, values: readonly Named<number>[], training?: TrainingArguments): number[] {
  let state = callback.init();
  return values.flatMap((metrics, i) => {
    const answer = callback.on(state, evaluated(metrics), training);
    state = answer.state;
    return answer.ask ? [i] : [];
  });
}

test("training stops after so many evaluations without improvement", () => {
  const values = losses.map((loss) => ({ loss, accuracy: 1 - loss, wer: loss }));
  assert.deepEqual(asked(earlyStopping(), values), [2, 4, 5, 6]);
  assert.deepEqual(asked(earlyStopping({ earlyStoppingPatience: 3 }), values), [6]);
  for (const metric of ["accuracy", "wer", "eval_loss"]) {
    assert.deepEqual(asked(earlyStopping({ metric, earlyStoppingPatience: 3 }), values), [6], metric);
  }
  assert.deepEqual(asked(earlyStopping({ metric: "accuracy", greaterIsBetter: false }), values), [1, 2, 3, 4, 5, 6]);
});

test("what judges is the run's metricForBestModel, where callbacks have no metric of their own", () => {
  const values = losses.map((loss) => ({ loss: 1, accuracy: 1 - loss }));
  const judged = (metricForBestModel: string | null, greaterIsBetter: boolean | null = null): TrainingArguments =>
    ({ metricForBestModel, greaterIsBetter }) as TrainingArguments;
  assert.deepEqual(asked(bestWeights(), values), [0]);
  assert.deepEqual(asked(bestWeights(), values, judged(null)), [0]);
  assert.deepEqual(asked(bestWeights(), values, judged("accuracy")), [0, 1, 3]);
  assert.deepEqual(asked(bestWeights(), values, judged("eval_accuracy", false)), [0]);
  assert.deepEqual(asked(bestWeights({ metric: "loss" }), values, judged("accuracy")), [0]);
  assert.deepEqual(asked(bestWeights({ metric: "accuracy" }), values, judged("loss", false)), [0, 1, 3]);
  assert.deepEqual(asked(earlyStopping({ earlyStoppingPatience: 3 }), values, judged("accuracy")), [6]);
  assert.deepEqual(asked(earlyStopping({ earlyStoppingPatience: 3 }), values, judged("loss")), [3, 4, 5, 6]);
});

test("an improvement below the threshold does not count, but moves the best", () => {
  // 0.80 → 0.75 → 0.70: neither is 0.06 better than the best before it.
  const values = [0.8, 0.75, 0.7].map((loss) => ({ loss }));
  assert.deepEqual(asked(earlyStopping({ earlyStoppingPatience: 2, earlyStoppingThreshold: 0.06 }), values), [2]);
  assert.deepEqual(asked(earlyStopping({ earlyStoppingPatience: 2, earlyStoppingThreshold: 0.04 }), values), []);
});

test("a metric that is not there, or not a number, is no improvement, and the reason says so", () => {
  const callback = earlyStopping({ metric: "f1_macro" });
  const { ask } = callback.on(callback.init(), evaluated({ loss: 1, f1_micro: 1 }));
  assert.match(ask?.stop ?? "", /f1_macro was not among the metrics \(loss, f1_micro\)/);
  assert.deepEqual(asked(earlyStopping(), [{ loss: 1 }, { loss: NaN }]), [1]);
  const diverged = earlyStopping().on(earlyStopping().init(), evaluated({ loss: Infinity }));
  assert.match(diverged.ask?.stop ?? "", /loss is not a number/);
  assert.deepEqual(asked(earlyStopping({ metric: "constructor" }), [{ loss: 1 }]), [0]);
});

test("weights are kept at each best evaluation", () => {
  assert.deepEqual(asked(bestWeights(), losses.map((loss) => ({ loss }))), [0, 1, 3]);
  assert.deepEqual(asked(bestWeights({ metric: "accuracy" }), losses.map((accuracy) => ({ accuracy }))), [0]);
  assert.deepEqual(asked(bestWeights({ metric: "accuracy" }), [{ loss: 1 }]), []);
});

test("a patience of nothing is refused", () => {
  assert.throws(() => earlyStopping({ earlyStoppingPatience: 0 }), AttuneError);
});
