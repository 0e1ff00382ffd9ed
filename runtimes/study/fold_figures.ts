/** Figures over folds: means, intervals, and each fold's. */
import { correctedInterval } from "../../core/statistics/corrected_interval.ts";
import type { Json, Named } from "../../core/types.ts";
import type { FoldPlaces } from "./fold_predictions.ts";
import type { Fold } from "./fold_specs.ts";

/** A completed fold. `metrics`: prefixed with each task's name if there are several; `params`: chosen by its search. */
export type FoldResult =
  & Fold
  & Readonly<{ metrics: Named<number>; trainRows: number; testRows: number; params?: Named<Json> | undefined }>;

/** A figure over folds. It is null in folds where it is no number, and the mean is over the others. */
export type FoldFigure = Readonly<
  { mean: number | null; interval: readonly [number, number] | null; folds: readonly (number | null)[] }
>;

/** Figures over folds as in metrics.json: if there are several tasks, `loss`, and the figures of each under `tasks`. */
export type FoldMetrics = Named<FoldFigure> | Readonly<{ loss: FoldFigure; tasks: Named<Named<FoldFigure>> }>;

/** Computes the figures of these tasks (a single one is called ""). */
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
  // Counts of rows before each task's transforms, whose results are not reported.
  const sizesOf = (task: string): readonly Sizes[] =>
    results.map((fold) => {
      const testRows = places(task, fold).length;
      return { testRows, trainRows: places(task).length - testRows };
    });
  // A task's name may be the beginning of another's.
  const taskOf = (name: string): string | undefined =>
    tasks.filter((task) => name.startsWith(`${task}_`)).sort((a, b) => b.length - a.length)[0];
  const byTask = tasks.map((task) => {
    const ofTask = names.filter((name) => taskOf(name) === task);
    return [task, figures(ofTask.map((name) => [name.slice(task.length + 1), name]), sizesOf(task))];
  });
  return { ...figures([["loss", "loss"]], results), tasks: Object.fromEntries(byTask) } as FoldMetrics;
}

/** Flattens figures over folds to one name each; if there are several tasks, with the task's name as a prefix. */
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
