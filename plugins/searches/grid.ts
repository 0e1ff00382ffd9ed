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
  /** The number of trials; absent: one for each point of the grid. */
  readonly trials?: number | undefined;
  /** How many values to try in a range without a step; whole numbers are tried once. */
  readonly points: number;
}

type Input = SearchInput & Readonly<{ points?: number }>;

/**
 * Every combination of values, in order; the last option changes fastest. Ranges without a step give `points` values,
 * evenly spaced, by the logarithm where that counts.
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
  schema: v.strictObject({
    ...searchOptions,
    trials: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
    points: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 5),
  }) as unknown as v.GenericSchema<Input, GridOptions>,
  create: (options: GridOptions) => ({
    settings: settingsOf(options),
    next: ({ space, trials }) => pointAt(space, trials.length, options.points),
  }),
});

/** Returns a point of the grid by its number, if its options are all present. */
function pointAt(space: Named<Space>, index: number, points: number): Named<Json> | undefined {
  const order = pathsInOrder(space);
  const pointsFrom = pointCounter(space, order, points);
  let [left, chosen]: [number, Named<Json>] = [index, {}];
  for (const [at, path] of order.entries()) {
    const range = space[path] as Space;
    if (!isThere(range, (other) => chosen[other])) continue;
    const value = valuesOf(range, points).find((value) => {
      const below = pointsFrom(at + 1, { ...chosen, [path]: value });
      if (left < below) return true;
      left -= below;
      return false;
    });
    if (value === undefined) return undefined;
    chosen = { ...chosen, [path]: value };
  }
  return left === 0 ? chosen : undefined;
}

/** Returns a counter of the points of options from a place on, given earlier values; counts are cached. */
function pointCounter(
  space: Named<Space>,
  order: readonly string[],
  points: number,
): (at: number, chosen: Named<Json>) => number {
  const known = new Map<string, number>();
  const parents = order.map((
    _,
    at,
  ) => [...new Set(order.slice(at).flatMap((path) => Object.keys(space[path]?.when ?? {})))]);
  const count = (at: number, chosen: Named<Json>): number => {
    const path = order[at];
    if (path === undefined) return 1;
    const key = JSON.stringify([at, ...(parents[at] ?? []).map((other) => (other in chosen ? [chosen[other]] : 0))]);
    const before = known.get(key);
    if (before !== undefined) return before;
    const range = space[path] as Space;
    const values = isThere(range, (other) => chosen[other]) ? valuesOf(range, points) : undefined;
    const all = !values
      ? count(at + 1, chosen)
      : parents[at + 1]?.includes(path)
      ? values.reduce<number>((sum, value) => sum + count(at + 1, { ...chosen, [path]: value }), 0)
      : values.length * count(at + 1, chosen);
    known.set(key, all);
    return all;
  };
  return count;
}

function valuesOf(range: Space, points: number): readonly Json[] {
  if (range.type === "categorical") return range.choices;
  const { low, high, log = false, step: given } = range;
  const last = lastOf(range);
  const step = stepOf(range);
  // Integers without a step give at most `points` values.
  const each = step === undefined ? Infinity : Math.round((last - low) / step) + 1;
  if (step !== undefined && (given !== undefined || each <= points)) {
    return Array.from({ length: each }, (_, i) => nearestIn(range, low + i * step));
  }
  const share = (i: number): number => (points === 1 ? 0 : i / (points - 1));
  const at = (i: number): number =>
    log ? exp(ln(low) + share(i) * (ln(high) - ln(low))) : low + share(i) * (high - low);
  return [...new Set(Array.from({ length: points }, (_, i) => nearestIn(range, at(i))))];
}
