/** Checks of searches. */
import { createRandom, type Json, type Named, type Search, type Space, type Study, type Trial } from "../kit.ts";
import { assert } from "./assert.ts";
import { type Check, check } from "./check.ts";

/** Options of a search's checks. */
export type SearchFigures = Readonly<{
  space?: Named<Space>;
  /** Number of trials after which it must have ended, if its settings do not limit them. Default: 5,000. */
  most?: number;
}>;

const aSpace: Named<Space> = {
  rate: { type: "float", low: 1e-5, high: 1e-1, log: true },
  rank: { type: "int", low: 2, high: 64 },
  heads: { type: "int", low: 1, high: 16, log: true },
  rest: { type: "float", low: -1, high: 1 },
  dropout: { type: "float", low: 0, high: 0.5, step: 0.125 },
  optimizer: { type: "categorical", choices: ["adamw", "lion", "sgd"] },
  momentum: { type: "float", low: 0.5, high: 0.99, when: { optimizer: ["sgd", "lion"] } },
};

/** Returns the score of a trial, best near the middle of every range. */
function score(set: Named<Json>, step: number): number {
  const numbers = Object.values(set).map((x) => (typeof x === "number" ? Math.atan(x) : String(x).length / 8));
  return numbers.reduce((sum, x) => sum + (x - 0.3) ** 2, 0) * (1 + 1 / step);
}

function finished(number: number, params: Named<Json>): Trial {
  const values = [1, 2, 3].map((step): [number, number] => [step, score(params, step)]);
  return { number, params, state: "complete", values, value: values[2]?.[1] ?? null };
}

const studyOf = (space: Named<Space>, trials: readonly Trial[]): Study => ({
  name: "checks",
  space,
  direction: "minimize",
  trials,
});

/** Returns the trials that a search proposes, in order. */
function proposed(search: Search, space: Named<Space>, most: number, seed = 5): Trial[] {
  const trials: Trial[] = [];
  while (trials.length < most) {
    const params = search.next(studyOf(space, trials), createRandom(seed).fork("trial", trials.length));
    if (params === undefined) break;
    trials.push(finished(trials.length, params));
  }
  return trials;
}

/** Returns the checks of a search. */
export function searchChecks(search: Search, figures: SearchFigures): readonly Check[] {
  const { space = aSpace, most = 5000 } = figures;
  const some = (): Trial[] => proposed(search, space, 30);
  return [
    check("the same trials have the same next one", () => {
      const trials = some();
      assert.ok(trials.length > 0, "it proposes nothing");
      const next = (history: readonly Trial[]): unknown => search.next(studyOf(space, history), createRandom(9));
      for (const at of [0, Math.min(12, trials.length - 1), Math.min(24, trials.length - 1)]) {
        const history = trials.slice(0, at).map((trial, i): Trial =>
          i === 4
            ? { ...trial, state: "running", values: [], value: null }
            : i === 7
            ? { ...trial, state: "pruned" }
            : trial
        );
        const before = JSON.stringify(history);
        const wanted = next(history);
        assert.deepEqual(next(history), wanted, "a second time");
        assert.equal(JSON.stringify(history), before, "the history it was given");
        assert.deepEqual(next(JSON.parse(before)), wanted, "a history from JSON");
      }
    }),
    check("goes on behind trials that failed, were pruned or had no figure", () => {
      const trials = some();
      for (const state of ["failed", "pruned", "running", "complete"] as const) {
        const history = trials.slice(0, 14).map((trial): Trial => ({ ...trial, state, value: null }));
        const next = search.next(studyOf(space, history), createRandom(9));
        if (trials.length > 14) assert.ok(next !== undefined, `behind 14 that are ${state}`);
      }
    }),
    check("proposes what is in the space: numbers within it, whole ones where asked for, listed values", () => {
      for (const { params } of some()) {
        assert.deepEqual(JSON.parse(JSON.stringify(params)), params);
        assert.deepEqual(Object.keys(params).filter((name) => !space[name]), [], "options that are not searched");
        for (const [name, range] of Object.entries(space)) {
          const value = params[name];
          const there = Object.entries(range.when ?? {}).every(([other, wanted]) =>
            [wanted].flat().includes(params[other]!)
          );
          assert.equal(value !== undefined, there, `${name} beside ${JSON.stringify(params)}`);
          if (there) checkValue(name, range, value);
        }
      }
    }),
    check("spreads over the orders of magnitude of a logarithmic range", () => {
      const all = search.settings.trials === undefined ? proposed(search, space, most) : some();
      const values = all.map(({ params }) => params);
      for (const [name, range] of Object.entries(space)) {
        if (range.type !== "float" || !range.log || range.when || values.length < 20) continue;
        const middle = Math.sqrt(range.low * range.high);
        const below = values.filter((set) => Number(set[name]) < middle).length / values.length;
        assert.ok(below > 0.1 && below < 0.95, `${name}: ${100 * below}% below ${middle}`);
      }
    }),
    check("ends, or says after how many trials", () => {
      const { trials } = search.settings;
      if (trials !== undefined) return assert.ok(Number.isInteger(trials) && trials > 0, `${trials} trials`);
      assert.ok(proposed(search, space, most + 1).length <= most, `more than ${most} trials`);
    }),
  ];
}

function checkValue(name: string, range: Space, value: Json | undefined): void {
  if (range.type === "categorical") {
    return assert.ok(range.choices.some((x) => JSON.stringify(x) === JSON.stringify(value)), `${name}: ${value}`);
  }
  const { low, high, step, type } = range;
  assert.ok(typeof value === "number" && value >= low && value <= high, `${name}: ${value}`);
  if (type === "int") assert.ok(Number.isInteger(value), `${name}: ${value} is not whole`);
  if (step === undefined) return;
  const steps = (value - low) / step;
  assert.ok(Math.abs(steps - Math.round(steps)) < 1e-9, `${name}: ${value} is between two steps`);
}
