/** What a comparison of two runs says, figure by figure. */
import type { Json, Named } from "../../core/types.ts";

/**
 * How a search's winner and the spec as it was do on the test rows. Figures have `<key>_interval` beside them; differences,
 * the winner's less the other's, theirs, with McNemar's test where rows are right or wrong.
 */
export type RunsCompared = Readonly<{
  rows: number;
  best: Named<Json>;
  default: Named<Json>;
  difference: Named<Json>;
}>;

/** A line of a comparison: a figure of both with intervals, their difference with its own, and how likely that is chance. */
export type ComparedFigure = Readonly<{
  name: string;
  best: FigureWithin;
  default: FigureWithin;
  difference?: FigureWithin | undefined;
  p?: number | undefined;
}>;

/** A figure, and where it lies. */
export type FigureWithin = Readonly<{ value: number; interval?: readonly [number, number] | undefined }>;

/** A comparison's figures, line by line, `first` before the others. */
export function comparedFigures({ best, default: usual, difference }: RunsCompared, first: string): ComparedFigure[] {
  const within = (figures: Named<Json>, key: string): FigureWithin => ({
    value: Number(figures[key]),
    interval: figures[`${key}_interval`] as [number, number] | undefined,
  });
  const names = Object.keys(best).filter((key) => typeof best[key] === "number" && typeof usual[key] === "number");
  return names.sort((a, b) => Number(b === first) - Number(a === first)).map((name) => {
    const { difference: value, difference_interval: interval, p } = (difference[name] ?? {}) as Named<Json>;
    return {
      name,
      best: within(best, name),
      default: within(usual, name),
      difference: typeof value === "number" ? { value, interval: interval as [number, number] | undefined } : undefined,
      p: p as number | undefined,
    };
  });
}
