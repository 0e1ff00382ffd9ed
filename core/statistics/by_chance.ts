/** What gaps between groups would be by chance: those of the same rows in groups that were drawn. */
import { quantileOf } from "./intervals.ts";
import { createRandom } from "../math/random.ts";
import type { Json, Metric, Named } from "../types.ts";

/** How often groups are drawn. */
const DRAWS = 1000;

/**
 * A metric's figures; of gaps between groups each number that is no group's also has `<key>_by_chance`, its mean where groups
 * say nothing, and `<key>_by_chance_interval`, where 95 % of these lie.
 */
export function figuresOf(metric: Metric, state: unknown): Named<Json> {
  const figures = metric.figures?.(state) ?? {};
  if (!metric.regrouped) return figures;
  const random = createRandom(42).fork("by-chance");
  const samples = new Map<string, Map<string, number[]>>();
  for (let draw = 0; draw < DRAWS; draw++) {
    const regrouped = metric.regrouped(state, random.fork(draw));
    if (regrouped === undefined) return figures;
    for (const [name, figure] of Object.entries(metric.figures?.(regrouped) ?? {})) {
      const numbers = samples.get(name) ?? new Map<string, number[]>();
      samples.set(name, numbers);
      for (const [key, value] of Object.entries(figure as Named<Json>)) {
        if (typeof value !== "number") continue;
        const all = numbers.get(key) ?? [];
        numbers.set(key, all);
        all.push(value);
      }
    }
  }
  return Object.fromEntries(
    Object.entries(figures).map(([name, figure]) => [name, withChance(figure as Named<Json>, samples.get(name))]),
  );
}

function withChance(figure: Named<Json>, samples: ReadonlyMap<string, readonly number[]> | undefined): Named<Json> {
  return Object.fromEntries(
    Object.entries(figure).flatMap(([key, value]): [string, Json][] => {
      const all = samples?.get(key) ?? [];
      // As in intervals, most draws must have it.
      if (typeof value !== "number" || all.length * 2 <= DRAWS) return [[key, value]];
      const sorted = Float64Array.from(all).sort();
      const mean = all.reduce((a, b) => a + b, 0) / all.length;
      return [
        [key, value],
        [`${key}_by_chance`, mean],
        [`${key}_by_chance_interval`, [quantileOf(sorted, 0.025), quantileOf(sorted, 0.975)]],
      ];
    }),
  );
}
