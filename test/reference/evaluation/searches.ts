/** TPE, pruners and importances beside Optuna's figures, on given trials. */
import assert from "node:assert/strict";
import { type Check, check } from "../../../conformance/check.ts";
import { importanceShares, importancesOf } from "../../../core/statistics/importances.ts";
import { logNormalMass, truncatedQuantile } from "../../../core/statistics/truncated_normal.ts";
import type { Catalog, Json, Named, Space, Study, Trial } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { logDensityAt, mixtureOf } from "../../../plugins/searches/tpe/mixture.ts";
import { splitTrials } from "../../../plugins/searches/tpe/split.ts";

type SearchProblem = Readonly<{ space: Named<Space>; direction: Study["direction"] }>;
/** A normal cut to an interval. */
export type CutNormal = Readonly<
  { a: number; b: number; logMass: number; q: readonly number[]; quantiles: readonly number[] }
>;
/** A history, candidates, and what TPE makes of them. */
export type TpeCase =
  & SearchProblem
  & Readonly<{
    name: string;
    parameters: readonly string[];
    trials: readonly (Omit<Trial, "values"> & { readonly intermediate: Named<number | null> })[];
    candidates: Named<readonly Json[]>;
    expected: Readonly<{
      below: readonly number[];
      above: readonly number[];
      logDensityBelow: readonly number[];
      logDensityAbove: readonly number[];
      chosen: number;
    }>;
  }>;
/** Trials one after another, and which reports ended them. */
export type PlayedStudy = Readonly<{
  name: string;
  options: object;
  direction: Study["direction"];
  studyName?: string;
  trials: readonly Readonly<{ values: readonly [number, number | null][]; asked: readonly boolean[] }>[];
}>;
/** Finished trials, and what each parameter mattered. */
export type ImportanceSet =
  & SearchProblem
  & Readonly<{
    targetQuantile: number;
    trials: readonly Pick<Trial, "params" | "value">[];
    expected: Readonly<{ raw: Named<number>; normalized: Named<number> }>;
  }>;

const near = (actual: number, wanted: number, tolerance: number, what: string): void =>
  assert.ok(
    Math.abs(actual - wanted) <= tolerance * Math.max(1, Math.abs(wanted)),
    `${what}: ${actual}, not ${wanted}`,
  );

/** A space as Optuna describes it: absent steps are null there, those of logarithmic ranges 1. */
function spaceOf(space: Named<Space>, names = Object.keys(space)): Named<Space> {
  return Object.fromEntries(names.map((name) => {
    const range = space[name] as Space;
    if (range.type === "categorical") return [name, range];
    const { step, ...rest } = range;
    return [name, step == null || range.log ? rest : range];
  }));
}

/** Masses and quantiles within 1e-9. */
export function cutNormalChecks(all: readonly CutNormal[]): Check[] {
  return all.map(({ a, b, logMass, q, quantiles }) =>
    check(`a normal cut to ${a} .. ${b}`, () => {
      near(logNormalMass(a, b), logMass, 1e-9, "mass");
      q.forEach((share, i) => near(truncatedQuantile(share, a, b), quantiles[i] ?? 0, 1e-9, `quantile ${share}`));
    })
  );
}

/** Which trials are good, both densities of each candidate within 1e-9, and the choice. */
export function tpeChecks(cases: readonly TpeCase[]): Check[] {
  return cases.map(({ name, direction, space, parameters, trials, candidates, expected }) =>
    check(`TPE's densities: ${name}`, () => {
      const all = trials.map(({ intermediate, ...trial }): Trial => ({
        ...trial,
        values: Object.entries(intermediate).map(([step, value]) => [Number(step), value]),
      }));
      const { below, above } = splitTrials({ trials: all, direction }, true);
      assert.deepEqual(below.map(({ number }) => number), expected.below);
      assert.deepEqual(above.map(({ number }) => number), expected.above);
      const [good, rest] = [below, above].map((own) => mixtureOf(own, spaceOf(space, [...parameters])));
      assert.ok(good && rest);
      const list = expected.logDensityBelow.map((_, i) =>
        Object.fromEntries(parameters.map((key) => [key, candidates[key]?.[i] ?? null]))
      );
      list.forEach((one, i) => {
        near(logDensityAt(good, one), expected.logDensityBelow[i] ?? 0, 1e-9, `below, candidate ${i}`);
        near(logDensityAt(rest, one), expected.logDensityAbove[i] ?? 0, 1e-9, `above, candidate ${i}`);
      });
      const gains = list.map((one) => logDensityAt(good, one) - logDensityAt(rest, one));
      assert.equal(gains.indexOf(Math.max(...gains)), expected.chosen);
    })
  );
}

/** Every decision of a pruner. */
export function prunerChecks(studies: readonly PlayedStudy[]): Check[] {
  return studies.map(({ name, options, direction, studyName = "study", trials }) =>
    check(`decisions of ${name} ${JSON.stringify(options)}`, () => {
      const parsed = (catalog as Catalog).pruner?.[name]?.parse(options);
      assert.ok(parsed && !parsed.issues, JSON.stringify(parsed));
      const done: Trial[] = [];
      for (const [number, { values, asked }] of trials.entries()) {
        const upTo = (n: number): Trial => ({
          number,
          params: {},
          state: "running",
          values: values.slice(0, n),
          value: null,
        });
        asked.forEach((wanted, i) => {
          const study = { name: studyName, space: {}, direction, trials: [...done, upTo(i + 1)] };
          assert.equal(parsed.value.prune(upTo(i + 1), study), wanted, `trial ${number}, report ${i + 1}`);
        });
        const state = asked.at(-1) ? "pruned" : "complete";
        done.push({ ...upTo(asked.length), state, value: state === "complete" ? values.at(-1)?.[1] ?? null : null });
      }
    })
  );
}

/** PED-ANOVA's figures. */
export function importanceChecks(sets: readonly ImportanceSet[]): Check[] {
  return sets.map(({ space, direction, trials, targetQuantile, expected }, i) =>
    check(`importances, set ${i}`, () => {
      const all = trials.map((trial, number): Trial => ({ ...trial, number, state: "complete", values: [] }));
      const raw = importancesOf({ space: spaceOf(space), direction, trials: all }, targetQuantile);
      const shares = importanceShares(raw);
      for (const key of Object.keys(space)) {
        near(raw[key] ?? NaN, expected.raw[key] ?? NaN, 1e-12, key);
        near(shares[key] ?? NaN, expected.normalized[key] ?? NaN, 1e-9, key);
      }
    })
  );
}
