/**
 * What every search must do.
 * @module
 */
import { createRandom, type Json, type Named, type Search, type Space, type Trial } from "../kit.ts";
import { assert } from "./assert.ts";
import { type Check, check } from "./check.ts";

/** What is searched. */
export type SearchFigures = Readonly<{
  space?: Named<Space>;
  /** Trials behind which it has ended, at the latest. Default: 500. */
  most?: number;
}>;

const aSpace: Named<Space> = {
  rate: { min: 1e-5, max: 1e-1, log: true },
  rank: { min: 2, max: 64, integer: true },
  rest: { min: -1, max: 1 },
  optimizer: { values: ["adamw", "lion", "sgd"] },
};

/** How good a trial is: best near the middle of everything. */
function score(set: Named<Json>, step: number): number {
  const numbers = Object.values(set).map((x) => (typeof x === "number" ? Math.atan(x) : String(x).length / 8));
  return -numbers.reduce((sum, x) => sum + (x - 0.3) ** 2, 0) * (1 + 1 / step);
}

function finished(set: Named<Json>): Trial {
  return { set, scores: [1, 2, 3].map((step) => ({ step, value: score(set, step) })), state: "done" };
}

/** The trials of a study, one after the other. */
function study(search: Search, space: Named<Space>, most: number, seed = 5): Trial[] {
  const trials: Trial[] = [];
  while (trials.length < most) {
    const set = search.next(space, trials, createRandom(seed).fork("trial", trials.length));
    if (set === undefined) break;
    trials.push(finished(set));
  }
  return trials;
}

/** The checks of a search. */
export function searchChecks(search: Search, figures: SearchFigures): readonly Check[] {
  const { space = aSpace, most = 500 } = figures;
  const some = (): Trial[] => study(search, space, 30);
  return [
    check("the same history has the same next trial, in whatever order it was reported", () => {
      const trials = some();
      assert.ok(trials.length > 0, "it proposes nothing");
      const at = Math.min(12, trials.length - 1);
      const next = (history: readonly Trial[]): unknown => search.next(space, history, createRandom(9));
      const history = trials.slice(0, at);
      const before = JSON.stringify(history);
      const wanted = next(history);
      assert.deepEqual(next(history), wanted, "a second time");
      assert.equal(JSON.stringify(history), before, "the history it was given");
      const reordered = history.map((trial) => ({ ...trial, scores: trial.scores.toReversed() }));
      assert.deepEqual(next(reordered), wanted, "scores in another order");
      assert.deepEqual(next(JSON.parse(before)), wanted, "a history from JSON");
    }),
    check("proposes what is in the space: numbers within it, whole ones where asked for, listed values", () => {
      for (const { set } of some()) {
        assert.deepEqual(Object.keys(set).sort(), Object.keys(space).sort());
        assert.deepEqual(JSON.parse(JSON.stringify(set)), set);
        for (const [name, range] of Object.entries(space)) {
          const value = set[name];
          if ("values" in range) {
            assert.ok(range.values.some((x) => JSON.stringify(x) === JSON.stringify(value)), `${name}: ${value}`);
            continue;
          }
          assert.ok(typeof value === "number" && value >= range.min && value <= range.max, `${name}: ${value}`);
          if (range.integer) assert.ok(Number.isInteger(value), `${name}: ${value} is not whole`);
        }
      }
    }),
    check("spreads over the orders of magnitude of a logarithmic range", () => {
      const values = some().map(({ set }) => set);
      for (const [name, range] of Object.entries(space)) {
        if ("values" in range || !range.log || values.length < 20) continue;
        const middle = Math.sqrt(range.min * range.max);
        const below = values.filter((set) => Number(set[name]) < middle).length / values.length;
        assert.ok(below > 0.1 && below < 0.9, `${name}: ${100 * below}% below ${middle}`);
      }
    }),
    check("ends", () => assert.ok(study(search, space, most + 1).length <= most, `more than ${most} trials`)),
    check("prunes none that leads", () => {
      if (!search.prune) return;
      const sign = "direction" in search.options && search.options.direction === "maximize" ? 1 : -1;
      const trial = (level: number, steps: number, state: Trial["state"]): Trial => ({
        set: {},
        scores: Array.from({ length: steps }, (_, i) => ({ step: i + 1, value: sign * (level + i / 10) })),
        state,
      });
      const others = Array.from({ length: 12 }, (_, i) => trial(i / 12, 10, "done"));
      for (let steps = 1; steps <= 10; steps++) {
        const leader = trial(2, steps, "running");
        assert.equal(search.prune(leader, [...others, leader]), false, `after ${steps} steps`);
      }
    }),
  ];
}
