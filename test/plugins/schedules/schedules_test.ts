import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Entry, Named, Schedule } from "../../../core/types.ts";
import { AttuneError } from "../../../core/base/errors.ts";
import { constant } from "../../../plugins/schedules/constant.ts";
import { constantWithWarmup } from "../../../plugins/schedules/constant_with_warmup.ts";
import { cosine } from "../../../plugins/schedules/cosine.ts";
import { cosineWithMinLr } from "../../../plugins/schedules/cosine_with_min_lr.ts";
import { cosineWithRestarts } from "../../../plugins/schedules/cosine_with_restarts.ts";
import { inverseSqrt } from "../../../plugins/schedules/inverse_sqrt.ts";
import { linear } from "../../../plugins/schedules/linear.ts";
import { polynomial } from "../../../plugins/schedules/polynomial.ts";
import { warmupStableDecay } from "../../../plugins/schedules/warmup_stable_decay.ts";
import { checksOf } from "../../../conformance/mod.ts";
import { itPasses } from "../../checks.ts";
import { sharedPath, SKIP_REASON } from "../../shared.ts";

type Reference = Readonly<
  { use: string; with?: object; total: number; learningRate: number; rates: readonly number[] }
>;

const schedules: readonly Entry<"schedule">[] = [
  constant,
  constantWithWarmup,
  cosine,
  cosineWithMinLr,
  cosineWithRestarts,
  inverseSqrt,
  linear,
  polynomial,
  warmupStableDecay,
];
const catalog: Named<Entry<"schedule">> = Object.fromEntries(schedules.map((entry) => [entry.use, entry]));

for (
  const schedule of [
    constant(),
    constantWithWarmup({ warmupSteps: 5 }),
    cosine({ warmupSteps: 0.1, numCycles: 1.5 }),
    cosineWithMinLr({ warmupSteps: 10, minLr: 1e-4 }),
    cosineWithRestarts({ warmupSteps: 10, numCycles: 3 }),
    inverseSqrt({ warmupSteps: 7 }),
    linear({ warmupSteps: 0.055 }),
    polynomial({ warmupSteps: 3, power: 2 }),
    warmupStableDecay({ warmupSteps: 10, numDecaySteps: 0.2, decayType: "1-sqrt" }),
  ]
) itPasses(schedule.name, checksOf(schedule));

function make(use: string, options: object | undefined): Schedule {
  const parsed = catalog[use]?.parse(options);
  assert.ok(parsed && !parsed.issues, `${use} ${JSON.stringify(options)}`);
  return parsed.value;
}

function compare({ use, with: options, total, learningRate, rates }: Reference): void {
  const schedule = make(use, options);
  rates.forEach((rate, step) => {
    const found = learningRate * schedule.factor(step, total, learningRate);
    assert.ok(Math.abs(found - rate) <= 1e-12 * learningRate, `${use}, step ${step}: ${found} is not ${rate}`);
  });
}

test("learning rates equal those of transformers", () => {
  const { runs }: { runs: Reference[] } = JSON.parse(
    readFileSync(new URL("../../fixtures/schedules.json", import.meta.url), "utf8"),
  );
  assert.equal(runs.length, 11);
  for (const run of runs) compare(run);
});

const cases = sharedPath("reference/cases");

test("learning rates equal those of the reference runs", { skip: cases ? false : SKIP_REASON }, () => {
  const seen = new Set<string>();
  for (const name of readdirSync(cases ?? "")) {
    const { schedule, training } = JSON.parse(readFileSync(join(cases ?? "", name, "spec.json"), "utf8"));
    const { learningRates } = JSON.parse(readFileSync(join(cases ?? "", name, "expected.json"), "utf8"));
    // Adafactor with relative steps takes no rate from the schedule.
    if (name === "optimizer-adafactor-relative") continue;
    compare({ ...schedule, total: training.maxSteps, learningRate: training.learningRate, rates: learningRates });
    seen.add(schedule.use);
  }
  assert.deepEqual([...seen].sort(), ["constant-with-warmup", "cosine", "linear", "polynomial"]);
});

test("a ratio of warm-up steps is rounded up, 1 is one step", () => {
  assert.equal(linear({ warmupSteps: 0.01 }).factor(0, 10, 1), 0);
  assert.equal(linear({ warmupSteps: 0.01 }).factor(1, 10, 1), 1);
  assert.equal(linear({ warmupSteps: 1 }).factor(1, 10, 1), 1);
  assert.equal(linear({ warmupSteps: 20 }).factor(10, 10, 1), 0.5);
});

test("options that mean nothing are refused", () => {
  assert.throws(() => linear({ warmupSteps: -1 }), AttuneError);
  assert.throws(() => cosineWithMinLr({}), /either minLr or minLrRate/);
  assert.throws(() => cosineWithMinLr({ minLr: 1e-2 }).factor(1, 10, 1e-3), /minLr.*at most the learning rate 0\.001/);
  assert.throws(() => cosineWithMinLr({ minLr: 0, minLrRate: 0 }), /either minLr or minLrRate/);
  assert.throws(
    () => polynomial({ lrEnd: 1e-3 }).factor(0, 10, 1e-3),
    /lrEnd: expected less than the learning rate 0.001/,
  );
});
