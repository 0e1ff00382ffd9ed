/**
 * Figures over folds: means, intervals, and each fold's.
 * @module
 */
import { correctedInterval } from "../../core/statistics/corrected_interval.ts";
import type { Json, Named } from "../../core/types.ts";
import type { FoldPlaces } from "./fold_predictions.ts";
import type { Fold } from "./fold_specs.ts";

/** A fold that has ended. `metrics`: of several tasks those of each have its name in front; `params`: what a search within it chose. */
export type FoldResult =
  & Fold
  & Readonly<{ metrics: Named<number>; trainRows: number; testRows: number; params?: Named<Json> | undefined }>;

/** A figure over folds. */
export type FoldFigure = Readonly<
  { mean: number; interval: readonly [number, number] | null; folds: readonly number[] }
>;

/** Figures over folds, as metrics.json has them: of several tasks `loss`, and those of each under `tasks`. */
export type FoldMetrics = Named<FoldFigure> | Readonly<{ loss: FoldFigure; tasks: Named<Named<FoldFigure>> }>;

/** Those of some tasks (one that is alone is called ""). What is no number in a fold is left out. */
export function foldMetrics(
  results: readonly FoldResult[],
  tasks: readonly string[],
  places: FoldPlaces,
): FoldMetrics {
  const names = Object.keys(results[0]?.metrics ?? {});
  const figures = (
    keys: readonly (readonly [shown: string, name: string])[],
    sizes: readonly Sizes[],
  ): Record<string, FoldFigure> =>
    Object.fromEntries(keys.flatMap(([shown, name]) => {
      const values = results.map(({ metrics }) => metrics[name] ?? NaN);
      return values.every(Number.isFinite) ? [[shown, figureOf(values, sizes)]] : [];
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
    const own = names.filter((name) => taskOf(name) === task);
    return [task, figures(own.map((name) => [name.slice(task.length + 1), name]), sizesOf(task))];
  });
  return { ...figures([["loss", "loss"]], results), tasks: Object.fromEntries(byTask) } as FoldMetrics;
}

/** A run's figures by one name each: of several tasks each with its task's in front. */
export function flatFoldMetrics(metrics: FoldMetrics): Named<FoldFigure> {
  const { tasks, ...others } = metrics as Readonly<{ tasks?: Named<Named<FoldFigure>> }>;
  const named = Object.entries(tasks ?? {}).flatMap(([task, own]) =>
    Object.entries(own).map(([name, figure]) => [`${task}_${name}`, figure])
  );
  return { ...others, ...Object.fromEntries(named) };
}

type Sizes = Pick<FoldResult, "trainRows" | "testRows">;

function figureOf(values: readonly number[], sizes: readonly Sizes[]): FoldFigure {
  const { low, high } = correctedInterval({
    values,
    trainRows: mean(sizes.map(({ trainRows }) => trainRows)),
    testRows: mean(sizes.map(({ testRows }) => testRows)),
  });
  return { mean: mean(values), interval: [low, high], folds: values };
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
