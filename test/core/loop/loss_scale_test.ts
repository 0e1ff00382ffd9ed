import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { createLossScale, inverseScale, type LossScale, updateLossScale } from "../../../core/loop/loss_scale.ts";
import type { LoopState } from "../../../core/loop/loop_state.ts";
import { type LoopOptions, trainLoop } from "../../../core/loop/train.ts";
import { readTrainingArguments } from "../../../core/spec/training_arguments.ts";
import type { LossScaleOptions, Optimizer, TrainingEvent } from "../../../core/types.ts";
import { collect } from "../../../core/base/collect.ts";

type Case = Readonly<{
  steps: number;
  settings: LossScaleOptions;
  found: readonly (readonly [number, string])[];
  scales: readonly (readonly [number, number])[];
  skipped: readonly number[];
  rates: readonly (readonly [number, number])[];
  last: Readonly<{ scale: number; growthTracker: number }>;
}>;

const { cases } = JSON.parse(
  readFileSync(new URL("../../fixtures/loss_scale.json", import.meta.url), "utf8"),
) as { cases: readonly Case[] };

const RATE = 1e-3;
const spread = (runs: Case["scales"]): number[] => runs.flatMap(([value, n]) => Array<number>(n).fill(value));

/** A loop whose engine has overflowing gradients at some steps, from 0. */
function loopOf({ steps, settings }: Pick<Case, "steps" | "settings">, found: ReadonlySet<number>): LoopOptions {
  let at = 0;
  return {
    engine: {
      trainableParameters: 3,
      totalParameters: 3,
      step: (_batches, { lossScale }) => {
        const overflowed = found.has(at++);
        const gradNorm = overflowed ? NaN : 1;
        assert.equal(lossScale?.inverse, inverseScale(lossScale?.scale ?? NaN));
        return Promise.resolve({ loss: 1, losses: {}, gradNorm, skipped: overflowed, overflowed, multiplyAdds: 0 });
      },
    },
    training: readTrainingArguments({ learningRate: RATE, maxSteps: steps, saveStrategy: "no" }).training,
    optimizer: {} as Optimizer,
    schedule: {
      kind: "schedule",
      name: "straight",
      options: {},
      factor: (step, total) => Math.max(0, (total - step) / total),
    },
    callbacks: [],
    lossScale: settings,
    steps: { perEpoch: steps, total: steps, epochs: 1 },
    rows: { train: steps, eval: 0 },
    batchesOf: async () => [],
  };
}

async function eventsOf(options: LoopOptions): Promise<TrainingEvent[]> {
  return await collect(trainLoop(options));
}

const stepsIn = (events: readonly TrainingEvent[]) => events.flatMap((event) => event.type === "step" ? [event] : []);

describe("the scale of losses", () => {
  for (const [i, one] of cases.entries()) {
    it(`goes as torch's GradScaler does (${i}: ${one.steps} steps, ${one.found.length} overflow)`, async () => {
      const found = new Set(one.found.map(([step]) => step));
      const scales: number[] = [];
      let state: LossScale = createLossScale(one.settings);
      for (let step = 0; step < one.steps; step++) {
        scales.push(state.scale);
        state = updateLossScale(state, one.settings, found.has(step));
      }
      assert.deepEqual(scales, spread(one.scales));
      const { goodSteps, ...last } = state;
      assert.deepEqual(last, one.last);
      assert.equal(goodSteps, one.steps - one.skipped.length);

      const steps = stepsIn(await eventsOf(loopOf(one, found)));
      assert.deepEqual(steps.map(({ lossScale }) => lossScale), spread(one.scales));
      assert.deepEqual(steps.flatMap(({ skipped }, step) => (skipped ? [step] : [])), one.skipped);
      for (const [step, rate] of one.rates) assert.equal(steps[step]?.learningRate, rate);
    });
  }

  it("divides as GradScaler does: 1/scale in float64, rounded once", () => {
    assert.equal(inverseScale(65536), 2 ** -16);
    assert.equal(inverseScale(2 ** 127), 2 ** -127);
    assert.equal(inverseScale(Math.fround(1000.3)), Math.fround(1 / Math.fround(1000.3)));
  });

  it("ends the run where it has come down to 0, and says so", async () => {
    const settings = { initScale: 2 ** -147, growthFactor: 2, backoffFactor: 0.5, growthInterval: 2000 };
    const events = await eventsOf(loopOf({ steps: 20, settings }, new Set(Array.from({ length: 20 }, (_, i) => i))));
    assert.equal(stepsIn(events).length, 3);
    const last = events.at(-1);
    assert.ok(last?.type === "end" && last.reason === "diverged", JSON.stringify(last));
    assert.match(last.message ?? "", /fallen to 0/);
  });

  it("overflowing steps in a row end no run, others do", async () => {
    const settings = { initScale: 65536, growthFactor: 2, backoffFactor: 0.5, growthInterval: 2000 };
    const options = loopOf({ steps: 9, settings }, new Set([0, 1, 2, 3, 4, 5]));
    assert.equal(stepsIn(await eventsOf(options)).length, 9);
    // Too large only once unscaled: no scale helps, and none of them counts for the scaler.
    const step: LoopOptions["engine"]["step"] = () =>
      Promise.resolve({
        loss: 1,
        losses: {},
        gradNorm: Infinity,
        skipped: true,
        overflowed: false,
        multiplyAdds: 0,
      });
    const events = await eventsOf({ ...options, engine: { ...options.engine, step } });
    assert.deepEqual(stepsIn(events).map(({ lossScale }) => lossScale), [65536, 65536, 65536]);
    const last = events.at(-1);
    assert.ok(last?.type === "end" && last.reason === "diverged");
  });

  it("goes on within an interval from a checkpoint as if there had been no end", async () => {
    const one = cases[2] as Case;
    const steps = new Set(one.found.map(([step]) => step));
    const states: LoopState[] = [];
    const save = (state: LoopState): Promise<string> => {
      states.push(structuredClone(state));
      return Promise.resolve("");
    };
    const training = readTrainingArguments({ learningRate: RATE, maxSteps: 400, saveSteps: 113 }).training;
    const options = loopOf({ ...one, steps: 400 }, steps);
    const whole = stepsIn(await eventsOf({ ...options, training, save }));
    const state = states.find(({ step }) => step === 226) as LoopState;
    assert.ok(state.lossScale && state.lossScale.growthTracker > 0, JSON.stringify(state.lossScale));
    const rest = loopOf({ ...one, steps: 400 }, new Set([...steps].map((step) => step - 226)));
    assert.deepEqual(stepsIn(await eventsOf({ ...rest, resume: state })), whole.slice(226));
  });
});
