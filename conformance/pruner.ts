/** Checks of pruners. */
import type { Pruner, Study, Trial, TrialState } from "../kit.ts";
import { assert } from "./assert.ts";
import { type Check, check } from "./check.ts";

/** Creates a trial with `steps` steps; a higher level is better. */
function trial(number: number, level: number, steps: number, state: TrialState, sign: number): Trial {
  const values = Array.from({ length: steps }, (_, i): [number, number] => [i + 1, sign * (level + i / 10)]);
  return { number, params: {}, state, values, value: state === "complete" ? values.at(-1)?.[1] ?? null : null };
}

const studyOf = (direction: Study["direction"], trials: readonly Trial[]): Study => ({
  name: "checks",
  space: {},
  direction,
  trials,
});

/** Returns the checks of a pruner. */
export function prunerChecks(pruner: Pruner): readonly Check[] {
  const others = (sign: number): Trial[] =>
    Array.from({ length: 12 }, (_, i) => trial(i, i / 12, 27, i % 4 === 3 ? "pruned" : "complete", sign));
  return [
    check("ends none that leads, whichever way is better", () => {
      for (const direction of ["maximize", "minimize"] as const) {
        const sign = direction === "maximize" ? 1 : -1;
        for (let number = 12; number < 20; number++) {
          for (let steps = 1; steps <= 27; steps++) {
            const leader = trial(number, 2, steps, "running", sign);
            const study = studyOf(direction, [...others(sign), leader]);
            assert.equal(pruner.prune(leader, study), false, `${direction}, trial ${number} after ${steps} steps`);
          }
        }
      }
    }),
    check("ends nothing that stands alone", () => {
      for (let steps = 1; steps <= 5; steps++) {
        const first = trial(0, 0, steps, "running", 1);
        const wanted = pruner.prune(first, studyOf("maximize", [first]));
        assert.equal(wanted, false, `after ${steps} steps`);
      }
    }),
    check("the same trials have the same answer, and are left as they are", () => {
      for (let steps = 1; steps <= 27; steps++) {
        const last = trial(12, -1, steps, "running", 1);
        const study = studyOf("maximize", [...others(1), last]);
        const before = JSON.stringify(study);
        const wanted = pruner.prune(last, study);
        assert.equal(pruner.prune(last, study), wanted, "a second time");
        assert.equal(JSON.stringify(study), before, "the study it was given");
        assert.equal(pruner.prune(last, JSON.parse(before)), wanted, "a study from JSON");
      }
    }),
  ];
}
