/**
 * What every schedule must do.
 * @module
 */
import { assert } from "./assert.ts";
import { type Check, check } from "./check.ts";
import type { Schedule } from "../kit.ts";

/** The checks of a schedule: finite factors from 0 to 1 in any run, pure and in any order, and warm-up as its option says. */
export function scheduleChecks(schedule: Schedule): readonly Check[] {
  return [
    check("factors are from 0 to 1, and depend on the step alone", () => {
      assert.equal(schedule.kind, "schedule");
      for (const total of [1, 2, 7, 100]) {
        const steps = Array.from({ length: total + 2 }, (_, i) => i);
        const forwards = steps.map((step) => schedule.factor(step, total, 1e-3));
        for (const factor of forwards) assert.ok(Number.isFinite(factor) && factor >= 0 && factor <= 1, `${factor}`);
        const backwards = steps.toReversed().map((step) => schedule.factor(step, total, 1e-3));
        assert.deepEqual(backwards.toReversed(), forwards);
        assert.deepEqual(steps.map((step) => schedule.factor(step, total, 1e-3)), forwards);
      }
    }),
    check("warm-up rises to the full rate", () => {
      const { options } = schedule;
      if (!("warmupSteps" in options) || typeof options.warmupSteps !== "number") return;
      const total = 100;
      const warm = options.warmupSteps < 1 ? Math.ceil(options.warmupSteps * total) : Math.floor(options.warmupSteps);
      const rates = Array.from({ length: warm + 1 }, (_, step) => schedule.factor(step, total, 1e-3));
      assert.ok(Math.abs((rates[warm] ?? 0) - 1) < 1e-12, `the first full step has ${rates[warm]}`);
      for (let i = 1; i < rates.length; i++) assert.ok((rates[i] ?? 0) > (rates[i - 1] ?? 0));
    }),
    check("its options are JSON", () => {
      assert.deepEqual(JSON.parse(JSON.stringify(schedule.options)), plain(schedule.options));
    }),
  ];
}

/** Without what is undefined: JSON has no word for it. */
function plain(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
