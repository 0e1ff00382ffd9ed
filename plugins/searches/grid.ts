/**
 * Grid search.
 * @module
 */
import * as v from "valibot";
import {
  lastOf,
  nearestIn,
  type SearchInput,
  type SearchOptions,
  searchOptions,
  settingsOf,
  stepOf,
} from "../../blocks/search/mod.ts";
import { define } from "../../core/spec/define.ts";
import { exp, log as ln } from "../../core/math/math.ts";
import { isThere, pathsInOrder } from "../../core/spec/search_space.ts";
import type { Factory, Json, Named, Space } from "../../core/types.ts";

/** Options of {@link grid}. */
export interface GridOptions extends Omit<SearchOptions, "trials"> {
  /** Trials to make; absent: one for each point of the grid. */
  readonly trials?: number | undefined;
  /** Values of a range that has no step: whole numbers are taken once. */
  readonly points: number;
}

type Input = SearchInput & Readonly<{ points?: number }>;

/** Schema of {@link GridOptions}. */
export const gridSchema: v.GenericSchema<Input, GridOptions> = v.strictObject({
  ...searchOptions,
  trials: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  points: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 5),
}) as unknown as v.GenericSchema<Input, GridOptions>;

/**
 * Every combination of values, in order: the last option changes first. Ranges without a step give `points` values, evenly
 * spaced, by the logarithm where that counts.
 *
 * @example
 * ```ts
 * import { grid } from "attune/searches/grid";
 * const search = grid({ space: { "optimizer.use": { type: "categorical", choices: ["adamw", "lion"] } } });
 * console.assert(search.settings.trials === undefined);
 * ```
 */
export const grid: Factory<"search", Input> = define({
  kind: "search",
  name: "grid",
  schema: gridSchema,
  create: (options) => ({
    settings: settingsOf(options),
    next: ({ space, trials }) => pointAt(space, trials.length, options.points),
  }),
});

/** A point of the grid by its number, among those whose options are all there. */
function pointAt(space: Named<Space>, index: number, points: number): Named<Json> | undefined {
  const order = pathsInOrder(space);
  let left = index;
  const walk = (at: number, chosen: Named<Json>): Named<Json> | undefined => {
    const path = order[at];
    if (path === undefined) return left-- === 0 ? chosen : undefined;
    const own = space[path] as Space;
    if (!isThere(own, (other) => chosen[other])) return walk(at + 1, chosen);
    for (const value of valuesOf(own, points)) {
      const found = walk(at + 1, { ...chosen, [path]: value });
      if (found) return found;
    }
    return undefined;
  };
  return walk(0, {});
}

function valuesOf(own: Space, points: number): readonly Json[] {
  if (own.type === "categorical") return own.choices;
  const { low, high, log = false, step: given } = own;
  const last = lastOf(own);
  const step = stepOf(own);
  // Of whole numbers without a step of their own, no more than were asked for.
  const each = step === undefined ? Infinity : Math.round((last - low) / step) + 1;
  if (step !== undefined && (given !== undefined || each <= points)) {
    return Array.from({ length: each }, (_, i) => nearestIn(own, low + i * step));
  }
  const share = (i: number): number => (points === 1 ? 0 : i / (points - 1));
  const at = (i: number): number =>
    log ? exp(ln(low) + share(i) * (ln(high) - ln(low))) : low + share(i) * (high - low);
  return [...new Set(Array.from({ length: points }, (_, i) => nearestIn(own, at(i))))];
}
