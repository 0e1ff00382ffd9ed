/**
 * Cross-validation: a run for each fold, their combined figures, and the predictions for each row by a model that never
 * saw it.
 */
import { AttuneError, badFile, refused } from "../../core/base/errors.ts";
import { directionOf } from "../../core/run/evaluate/judged.ts";
import { partNamer } from "../../core/spec/default_parts.ts";
import { trialSpec } from "../../core/spec/search_space.ts";
import { taskData } from "../../core/spec/run_data.ts";
import { setAt, valueAt } from "../../core/spec/spec_paths.ts";
import type { Host, Json, Named, Run, Store } from "../../core/types.ts";
import { storeWithin } from "../../core/files/within.ts";
import { composed } from "../host/plugin_packages.ts";
import { withLoggers, withPredictions } from "../host/run_loggers.ts";
import { type FoldMetrics, foldMetrics, type FoldResult } from "./fold_figures.ts";
import { joinPredictions, keptPlaces, placesOf } from "./fold_predictions.ts";
import {
  dividedRows,
  type Division,
  divisionsOf,
  type Fold,
  foldsOf,
  foldSpec,
  type FoldSpecs,
  lacksEvaluationRows,
  specWithEvaluation,
  specWithoutEvaluation,
} from "./fold_specs.ts";
import { contentOf } from "./contents.ts";
import type { Runs } from "./runs.ts";
import { searchHere } from "./search_here.ts";
import { jsonAt, keepDescription, removeCheckpoints } from "./study_files.ts";
import { writeJson } from "../../core/files/json_files.ts";

/** Options of a cross-validation. */
export type FoldsOptions = Readonly<{
  spec: Named<Json>;
  run: Run;
  division: Division;
  store: Store;
  runs: Runs;
  parallel: number;
  host: Host;
  signal: AbortSignal;
  report: (fold: FoldResult) => void;
  /** Receives warnings about the division. */
  warn?: (text: string) => void;
}>;

/** Everything that the folds of a run share. */
type Setting = FoldsOptions & Readonly<{ specs: FoldSpecs }>;

/** Runs all folds; undefined if interrupted. */
export async function runFolds(options: FoldsOptions): Promise<FoldMetrics | undefined> {
  const { spec, run, division, store, parallel, host, signal, report, warn = () => {} } = options;
  const { search } = spec;
  const own = { ...division, parallel, spec: trialSpec(spec, {}) as Json, ...(search === undefined ? {} : { search }) };
  await keepDescription(store, "folds.json", { ...own, content: await contentOf(run, host) });
  const folds = foldsOf(division);
  const divided = dividedRows(spec, run);
  const specs = { spec, name: run.name, divided, divisions: await divisionsOf(divided, run, division, host) };
  const setting: Setting = { ...options, specs };
  const places = await placesOf(specs, run, host, warn);
  const results: (FoldResult | undefined)[] = folds.map(() => undefined);
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  signal.addEventListener("abort", abort, { once: true });
  const running = Array.from({ length: parallel }, async (_, slot) => {
    for (let i = slot; i < folds.length && !stop.signal.aborted; i += parallel) {
      const fold = folds[i] as Fold;
      try {
        results[i] = await runFold(setting, fold, slot, stop.signal);
      } catch (error) {
        abort();
        throw error;
      }
      const result = results[i];
      if (result) report(result);
    }
  });
  try {
    await Promise.all(running);
  } finally {
    await Promise.allSettled(running);
    signal.removeEventListener("abort", abort);
  }
  const ended = results.flatMap((result) => result ?? []);
  if (ended.length < folds.length) return undefined;
  const metrics = foldMetrics(ended, divided.map(({ task }) => task), places);
  const placesIn = async (task: string, fold: Fold): Promise<readonly number[] | undefined> => {
    const own = await composed(await specWithEvaluationIfNeeded(foldSpec(specs, fold), specs));
    const subtask = own.task.subtasks.find(({ name }) => name === task);
    const { test } = subtask ? taskData(own, subtask) : {};
    return test && await keptPlaces(test, host);
  };
  for (const { task } of divided) await joinPredictions(store, folds, task, { places, placesOf: placesIn });
  await writeJson(store, "metrics.json", metrics as unknown as Json);
  return metrics;
}

/** Runs one fold unless it is already complete; undefined if interrupted. */
async function runFold(
  setting: Setting,
  fold: Fold,
  slot: number,
  signal: AbortSignal,
): Promise<FoldResult | undefined> {
  const { spec, run, specs, store, runs } = setting;
  const folder = `fold-${fold.number}`;
  const before = await jsonAt(store, `${folder}.json`) as unknown as FoldResult | undefined;
  if (before) {
    const isWhole = before.number === fold.number && typeof before.metrics === "object" && before.metrics !== null &&
      [before.trainRows, before.testRows].every(Number.isInteger);
    if (!isWhole) throw badFile("crossvalidate", `${folder}.json`, `is no end of fold ${fold.number}`);
    await removeCheckpoints(store, folder);
    return before;
  }
  const whole = foldSpec(specs, fold);
  const params = spec.search === undefined ? {} : await searchedParams(setting, fold, whole, slot, signal);
  if (!params) return undefined;
  const own = withPredictions(
    withLoggers(trialSpec(await specWithEvaluationIfNeeded(whole, specs), params, partNamer(run.catalog))),
  );
  let [trainRows, testRows]: [number, number] = [0, 0];
  const end = await runs.run(own, folder, {
    slot,
    signal,
    test: true,
    see: (event) => {
      if (event.type === "start") [trainRows, testRows] = [event.trainRows, event.testRows ?? 0];
    },
  });
  if (end.reason === "interrupted") return undefined;
  if (end.reason === "diverged") {
    throw new AttuneError(`${folder}: ${end.message ?? "the run diverged"}`, {
      code: "DIVERGED",
      plugin: "crossvalidate",
    });
  }
  const chosen = spec.search === undefined ? {} : { params };
  const result: FoldResult = { ...fold, metrics: end.metrics, trainRows, testRows, ...chosen };
  await writeJson(store, `${folder}.json`, result as unknown as Json);
  await removeCheckpoints(store, folder);
  return result;
}

/** Returns the spec that a fold's run uses: with evaluation rows if the run needs some and the spec has none. */
export async function specWithEvaluationIfNeeded(whole: Named<Json>, specs: FoldSpecs): Promise<Named<Json>> {
  if (!lacksEvaluationRows(whole, specs.divided)) return whole;
  const plain = specWithoutEvaluation(whole);
  try {
    await composed(plain);
    return plain;
  } catch (error) {
    if (!(error instanceof AttuneError)) throw error;
  }
  // A part of the run, such as one that keeps the best weights or stops early, needs evaluations.
  const { divided } = specs;
  const judged = specWithEvaluation(whole, specs);
  return divided.reduce(
    (made, { path }) => setAt(made, `${path}.test`, valueAt(whole, `${path}.test`) ?? null),
    judged,
  );
}

/** Returns the values that a search over a fold's training rows chooses; undefined if interrupted. */
async function searchedParams(
  { spec, specs, store, runs }: Setting,
  fold: Fold,
  whole: Named<Json>,
  slot: number,
  signal: AbortSignal,
): Promise<Named<Json> | undefined> {
  const inner = { ...specWithEvaluation(whole, specs), search: spec.search ?? null };
  const run = await composed(inner);
  if (!run.search) return {};
  const search = { ...run.search, settings: { ...run.search.settings, parallel: 1 } };
  const below = `fold-${fold.number}/search`;
  const { trials, best } = await searchHere({
    run,
    search,
    direction: directionOf(run),
    spec: inner,
    store: storeWithin(store, `${below}/`),
    runs: {
      ...runs,
      run: (foldSpec, folder, options) => runs.run(foldSpec, `${below}/${folder}`, { ...options, slot }),
    },
    signal,
    best: undefined,
  });
  if (signal.aborted) return undefined;
  if (best) return best.params;
  throw refused("crossvalidate", `${below}: none of ${trials.length} trials produced a figure`);
}
