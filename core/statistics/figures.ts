/** Figures that are more than a number: their numbers by path, and intervals of these. */
import { isObject } from "../base/json.ts";
import type { Interval } from "./intervals.ts";
import type { Json, Metric, Named } from "../types.ts";

/** Separator of the keys of a path, which no key contains. */
const STEP = "\u0000";

/** Returns the numbers of nested figures by path. */
function flatten(figures: Json, path = ""): Named<number | null> {
  if (typeof figures === "number" || figures === null) return { [path]: figures };
  if (typeof figures !== "object" || Array.isArray(figures)) return {};
  const below = (key: string): string => (path === "" ? key : path + STEP + key);
  return Object.assign({}, ...Object.entries(figures).map(([key, value]) => flatten(value, below(key))));
}

/** Returns a metric whose values are all of its numbers by path, including those within its figures. */
export function flatMetric(metric: Metric): Metric {
  if (!metric.figures) return metric;
  const { alone } = metric;
  return { ...metric, compute: flatValues(metric), ...(alone ? { alone: { compute: flatValues(alone) } } : {}) };
}

function flatValues({ compute, figures }: Pick<Metric, "compute" | "figures">): Metric["compute"] {
  return (state) => flatten({ ...compute(state), ...figures?.(state) });
}

/** Returns the shares of rows within a metric's figures by path: numerator and denominator. */
export function sharesOf(metric: Metric, state: unknown): Named<readonly [right: number, of: number]> {
  return Object.fromEntries(
    (metric.shares?.(state) ?? []).map(({ path, right, of }) => [path.join(STEP), [right, of]]),
  );
}

/** Returns the intervals of numbers that are not within figures. */
export function intervalsOutside<I extends Interval>(intervals: Named<I>): Named<I> {
  return Object.fromEntries(Object.entries(intervals).filter(([path]) => !path.includes(STEP)));
}

/** Returns figures with `<key>_interval` after each number that has an interval; counts have none. */
export function withIntervals(figures: Named<Json>, intervals: Named<Interval>, path = ""): Named<Json> {
  const pairs = Object.entries(figures).flatMap(([key, value]): [string, Json][] => {
    const at = path === "" ? key : path + STEP + key;
    if (isObject(value)) {
      return [[key, withIntervals(value, intervals, at)]];
    }
    const interval = Object.hasOwn(intervals, at) && key !== "count" ? intervals[at] : undefined;
    return interval ? [[key, value], [`${key}_interval`, [interval.low, interval.high]]] : [[key, value]];
  });
  return Object.fromEntries(pairs);
}
