/**
 * The tree-structured Parzen estimator (Bergstra et al. 2011; Watanabe 2023), as in Optuna 5.
 * @module
 */
import * as v from "valibot";
import {
  drawFrom,
  type SearchInput,
  type SearchOptions,
  searchOptions,
  settingsOf,
  trialsOption,
} from "../../blocks/search/mod.ts";
import { define } from "../../core/spec/define.ts";
import { chooseIn } from "../../core/spec/search_space.ts";
import type { Factory, Json, Named, Random, Space, Study } from "../../core/types.ts";
import { drawCandidates, isFixed, logDensityAt, type Mixture, mixtureOf } from "./tpe/mixture.ts";
import { isFinished, splitTrials } from "./tpe/split.ts";

/** Options of {@link tpe}. */
export interface TpeOptions extends SearchOptions {
  /** Random trials before the first proposal by the estimator. */
  readonly startupTrials: number;
  /** Whether options that all trials have are drawn jointly. */
  readonly multivariate: boolean;
  /** Whether running trials count as bad ones, so that parallel trials spread out. */
  readonly constantLiar: boolean;
  /** How many candidates are drawn, of which the likeliest is taken. */
  readonly candidates: number;
}

type Input = SearchInput & Partial<Omit<TpeOptions, keyof SearchOptions>>;

/**
 * The tree-structured Parzen estimator: draws values where good trials are more frequent than others. Options that only
 * some trials have are drawn separately, based on the trials that have them.
 *
 * @example
 * ```ts
 * import { tpe } from "attune/searches/tpe";
 * const search = tpe({ trials: 40, space: { "adapter.with.r": { type: "int", low: 2, high: 64, log: true } } });
 * console.assert(search.settings.trials === 40);
 * ```
 */
export const tpe: Factory<"search", Input> = define({
  kind: "search",
  name: "tpe",
  schema: v.strictObject({
    ...searchOptions,
    trials: trialsOption,
    startupTrials: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 10),
    multivariate: v.optional(v.boolean(), true),
    constantLiar: v.optional(v.boolean(), true),
    candidates: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 24),
  }) as unknown as v.GenericSchema<Input, TpeOptions>,
  create: (options: TpeOptions) => ({
    settings: settingsOf(options),
    next: (study, random) => proposed(study, random, options),
  }),
});

function proposed(study: Study, random: Random, options: TpeOptions): Named<Json> {
  const { space, trials } = study;
  const finished = trials.filter(isFinished);
  if (finished.length < options.startupTrials) return chooseIn(space, (path, own) => drawFrom(own, random.fork(path)));
  const { below, above } = splitTrials(study, options.constantLiar);
  const drawCandidate = (space: Named<Space>, stream: Random): Named<Json> => {
    const good = mixtureOf(below, space);
    return bestCandidate(good, mixtureOf(above, space), drawCandidates(good, stream, options.candidates)) ?? {};
  };
  const shared = Object.entries(space).filter(([path, own]) =>
    options.multivariate && !isFixed(own) && finished.every(({ params }) => Object.hasOwn(params, path))
  ).sort(([a], [b]) => (a < b ? -1 : 1));
  const together = shared.length === 0 ? {} : drawCandidate(Object.fromEntries(shared), random.fork("together"));
  const alone = (path: string, range: Space): Json =>
    isFixed(range)
      ? drawFrom(range, random)
      : drawCandidate({ [path]: range }, random.fork("alone", path))[path] ?? null;
  return chooseIn(space, (path, own) => (Object.hasOwn(together, path) ? together[path] ?? null : alone(path, own)));
}

/** Returns the candidate with the highest ratio of likelihoods, good trials to others; of equal ones, the first. */
function bestCandidate(below: Mixture, above: Mixture, candidates: readonly Named<Json>[]): Named<Json> | undefined {
  let [best, most]: [Named<Json> | undefined, number] = [undefined, -Infinity];
  for (const candidate of candidates) {
    const gain = logDensityAt(below, candidate) - logDensityAt(above, candidate);
    if (best === undefined || gain > most) [best, most] = [candidate, gain];
  }
  return best;
}
