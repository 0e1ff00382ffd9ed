/** Figures over folds: means, intervals, and each fold's. */
import { correctedInterval } from "../../core/statistics/corrected_interval.ts";
import type { Json, Named } from "../../core/types.ts";
import type { FoldPlaces } from "./fold_predictions.ts";
import type { Fold } from "./fold_specs.ts";

/** A fold that has ended. `metrics`: of several tasks those of each have its name in front; `params`: what a search within it chose. */
export type FoldResult =
  & Fold
  & Readonly<{ metrics: Named<number>; trainRows: number; testRows: number; params?: Named<Json> | undefined }>;

/** A figure over folds. One that is no number in a fold is null there, and the mean that of the others. */
export type FoldFigure = Readonly<
  { mean: number | null; interval: readonly [number, number] | null; folds: readonly (number | null)[] }
>;

/** Figures over folds, as metrics.json has them: of several tasks `loss`, and those of each under `tasks`. */
export type FoldMetrics = Named<FoldFigure> | Readonly<{ loss: FoldFigure; tasks: Named<Named<FoldFigure>> }>;

/** Those of some tasks (one that is alone is called ""). */
export function foldMetrics(results: readonly FoldResult[], tasks: readonly string[], places: FoldPlaces): FoldMetrics {
  const names = [...new Set(results.flatMap(({ metrics }) => Object.keys(metrics)))];
  const figures = (
    keys: readonly (readonly [shown: string, name: string])[],
    sizes: readonly Sizes[],
  ): Record<string, FoldFigure> =>
    Object.fromEntries(keys.map(([shown, name]) => {
      const values = results.map(({ metrics }) => metrics[name] ?? NaN);
      return [shown, figureOf(values.map((value) => (Number.isFinite(value) ? value : null)), sizes)];
    }));
  if (tasks.length === 1 && tasks[0] === "") return figures(names.map((name) => [name, name]), results);
  // Rows as they were divided: what transforms make of each task's own is not told.
  const sizesOf = (task: string): readonly Sizes[] =>
    results.map((fold) => {
      const testRows = places(task, fold).length;
      return { testRows, trainRows: places(task).length - testRows };
    });
  // A task's name may be how another's begins.
  const taskOf = (name: string): string | undefined =>
    tasks.filter((task) => name.startsWith(`${task}_`)).sort((a, b) => b.length - a.length)[0];
  const byTask = tasks.map((task) => {
    const ofTask = names.filter((name) => taskOf(name) === task);
    return [task, figures(ofTask.map((name) => [name.slice(task.length + 1), name]), sizesOf(task))];
  });
  return { ...figures([["loss", "loss"]], results), tasks: Object.fromEntries(byTask) } as FoldMetrics;
}

/** A run's figures by one name each: of several tasks each with its task's in front. */
export function flatFoldMetrics(metrics: FoldMetrics): Named<FoldFigure> {
  const { tasks, ...others } = metrics as Readonly<{ tasks?: Named<Named<FoldFigure>> }>;
  const named = Object.entries(tasks ?? {}).flatMap(([task, figures]) =>
    Object.entries(figures).map(([name, figure]) => [`${task}_${name}`, figure])
  );
  return { ...others, ...Object.fromEntries(named) };
}

type Sizes = Pick<FoldResult, "trainRows" | "testRows">;

function figureOf(folds: readonly (number | null)[], sizes: readonly Sizes[]): FoldFigure {
  const known = folds.filter((value) => value !== null);
  const [trainRows, testRows] = [mean(sizes.map((one) => one.trainRows)), mean(sizes.map((one) => one.testRows))];
  if (known.length < 2) return { mean: known[0] ?? null, interval: null, folds };
  const { low, high } = correctedInterval({ values: known, trainRows, testRows });
  return { mean: mean(known), interval: [low, high], folds };
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
