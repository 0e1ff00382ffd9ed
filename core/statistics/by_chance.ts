/** Gaps between groups that occur by chance: those of the same rows in randomly drawn groups. */
import { quantileOf } from "./intervals.ts";
import { createRandom } from "../math/random.ts";
import type { Json, Metric, Named } from "../types.ts";

/** Number of times that groups are drawn. */
const DRAWS = 1000;

/**
 * Returns a metric's figures. For gaps between groups, each number that does not belong to a single group also gets
 * `<key>_by_chance`, its mean over random groups, and `<key>_by_chance_interval`, which contains 95 % of these values.
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
      // As for intervals, most draws must have a value.
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
