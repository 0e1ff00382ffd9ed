/** The result of comparing two runs, figure by figure. */
import type { Json, Named } from "../../core/types.ts";

/**
 * Results of a search's winner (`best`) and the original spec (`default`) on the test rows. Beside each figure is its
 * `<key>_interval`; differences are winner minus default, with McNemar's test if rows are right or wrong.
 */
export type RunsCompared = Readonly<{
  rows: number;
  best: Named<Json>;
  default: Named<Json>;
  difference: Named<Json>;
}>;

/** A line of a comparison: a figure of both runs with intervals, their difference with interval, and its p-value. */
export type ComparedFigure = Readonly<{
  name: string;
  best: FigureWithin;
  default: FigureWithin;
  difference?: FigureWithin | undefined;
  p?: number | undefined;
}>;

/** A figure and its interval. */
export type FigureWithin = Readonly<{ value: number; interval?: readonly [number, number] | undefined }>;

/** Returns a comparison's figures line by line, beginning with `first`. */
export function comparedFigures(
  { best, default: baseline, difference }: RunsCompared,
  first: string,
): ComparedFigure[] {
  const within = (figures: Named<Json>, key: string): FigureWithin => ({
    value: Number(figures[key]),
    interval: figures[`${key}_interval`] as [number, number] | undefined,
  });
  const names = Object.keys(best).filter((key) => typeof best[key] === "number" && typeof baseline[key] === "number");
  return names.sort((a, b) => Number(b === first) - Number(a === first)).map((name) => {
    const { difference: value, difference_interval: interval, p } = (difference[name] ?? {}) as Named<Json>;
    return {
      name,
      best: within(best, name),
      default: within(baseline, name),
      difference: typeof value === "number" ? { value, interval: interval as [number, number] | undefined } : undefined,
      p: p as number | undefined,
    };
  });
}
