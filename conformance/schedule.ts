/** Checks of schedules. */
import { assert } from "./assert.ts";
import { type Check, check } from "./check.ts";
import { AttuneError, type Schedule } from "../kit.ts";

/** Returns the checks of a schedule: finite factors from 0 to 1, without state, and warm-up as its option says. */
export function scheduleChecks(schedule: Schedule): readonly Check[] {
  return [
    check("factors are from 0 to 1, and depend on the step alone", () => {
      assert.equal(schedule.kind, "schedule");
      for (const total of [1, 2, 7, 100, 1000, 100_000]) {
        const steps = Array.from(
          { length: Math.min(total, 100) + 2 },
          (_, i) => Math.floor(i * Math.max(1, total / 100)),
        );
        for (const rate of [1e-3, 1, 1e-7]) {
          const at = (step: number): number => schedule.factor(step, total, rate);
          if (isRefused(() => at(0))) continue;
          const forwards = steps.map(at);
          for (const [i, factor] of forwards.entries()) {
            const where = `step ${steps[i]} of ${total}, a learning rate of ${rate}`;
            assert.ok(Number.isFinite(factor) && factor >= 0 && factor <= 1, `${where}: the factor is ${factor}`);
          }
          assert.deepEqual(steps.toReversed().map(at).toReversed(), forwards, "asked from the end");
          assert.deepEqual(steps.map(at), forwards, "asked again");
        }
      }
    }),
    check("warm-up rises to the full rate", () => {
      const { options } = schedule;
      if (!("warmupSteps" in options) || typeof options.warmupSteps !== "number") return "it has no warmupSteps";
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

/** Whether a schedule refuses its options because of the learning rate. */
function isRefused(factor: () => number): boolean {
  try {
    factor();
    return false;
  } catch (error) {
    if (error instanceof AttuneError) return true;
    throw error;
  }
}

/** Returns options without undefined ones, which JSON cannot represent. */
function plain(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
