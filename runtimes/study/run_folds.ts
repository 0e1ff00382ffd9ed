/**
 * Cross-validation: a run for each fold, their figures together, and what each row was answered by a model that never saw it.
 * @module
 */
import { correctedInterval } from "../../core/statistics/corrected_interval.ts";
import { AttuneError, refused } from "../../core/errors.ts";
import { divideRows } from "../../core/data/folds.ts";
import { createRandom } from "../../core/random.ts";
import { directionOf } from "../../core/run/judged.ts";
import { trialSpec } from "../../core/spec/search_space.ts";
import type { Example, Host, Json, Named, Run, Store } from "../../core/types.ts";
import { storeWithin } from "../../core/within.ts";
import { composed } from "../host/plugin_packages.ts";
import { withLoggers } from "../host/run_loggers.ts";
import { dividedSource, type Division, type Fold, foldsOf, foldSpec, innerSpec } from "./fold_specs.ts";
import type { Runs } from "./runs.ts";
import { searchHere } from "./search_here.ts";
import { jsonAt, keepDescription, putJson, removeCheckpoints } from "./study_files.ts";

/** A fold that has ended. `params`: what a search within it chose. */
export type FoldResult =
  & Fold
  & Readonly<{ metrics: Named<number>; trainRows: number; testRows: number; params?: Named<Json> | undefined }>;

/** What cross-validation is made of. */
export type FoldsOptions = Readonly<{
  spec: Named<Json>;
  run: Run;
  division: Division;
  store: Store;
  runs: Runs;
  parallel: number;
  host: Host;
  signal: AbortSignal;
  tell: (fold: FoldResult) => void;
}>;

/** Figures over folds, as metrics.json has them. */
export type FoldMetrics = Named<
  Readonly<{ mean: number; interval: readonly [number, number] | null; folds: readonly number[] }>
>;

/** Runs all folds; undefined where it was interrupted. */
export async function runFolds(options: FoldsOptions): Promise<FoldMetrics | undefined> {
  const { spec, division, store, parallel, signal, tell } = options;
  await keepDescription(store, "folds.json", { ...division, parallel, spec: trialSpec(spec, {}) as Json });
  const folds = foldsOf(division);
  const places = await placesOf(options);
  const results: (FoldResult | undefined)[] = folds.map(() => undefined);
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  signal.addEventListener("abort", abort, { once: true });
  const running = Array.from({ length: parallel }, async (_, slot) => {
    for (let i = slot; i < folds.length && !stop.signal.aborted; i += parallel) {
      const fold = folds[i] as Fold;
      try {
        results[i] = await runFold(options, fold, slot, places(fold), stop.signal);
      } catch (error) {
        abort();
        throw error;
      }
      const result = results[i];
      if (result) tell(result);
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
  const metrics = foldMetrics(ended);
  await joinPredictions(store, folds);
  await putJson(store, "metrics.json", metrics as unknown as Json);
  return metrics;
}

/** Runs one fold where it has not ended yet; undefined where it was interrupted. */
async function runFold(
  options: FoldsOptions,
  fold: Fold,
  slot: number,
  places: Int32Array,
  signal: AbortSignal,
): Promise<FoldResult | undefined> {
  const { spec, run, division, store, runs } = options;
  const folder = `fold-${fold.number}`;
  const before = await jsonAt(store, `${folder}.json`) as unknown as FoldResult | undefined;
  if (before) {
    await removeCheckpoints(store, folder);
    return before;
  }
  const whole = foldSpec(spec, run, division, fold);
  const params = spec.search === undefined ? {} : await searchedParams(options, fold, whole, slot, signal);
  if (!params) return undefined;
  let [trainRows, testRows]: [number, number] = [0, 0];
  let examples: readonly Example[] = [];
  const end = await runs.run(withLoggers(trialSpec(whole, params)), folder, {
    slot,
    signal,
    test: true,
    see: (event) => {
      if (event.type === "start") [trainRows, testRows] = [event.trainRows, event.testRows ?? 0];
      if (event.type === "examples" && event.phase === "after") examples = event.examples;
    },
  });
  if (end.reason === "interrupted") return undefined;
  if (end.reason === "diverged") {
    throw new AttuneError(`${folder}: ${end.message ?? "the run diverged"}`, {
      code: "DIVERGED",
      plugin: "crossvalidate",
    });
  }
  const lines = examples.map(({ row, reference, prediction, scores }) =>
    JSON.stringify({
      // Where transforms have dropped rows, a row's place in the fold says nothing of its place in the data.
      row: testRows === places.length ? places[row] ?? null : null,
      fold: fold.number,
      ...(division.repeats > 1 ? { repeat: fold.repeat } : {}),
      label: reference,
      prediction,
      ...(scores ? { scores } : {}),
    })
  );
  // A server's jobs do not tell their rows.
  if (lines.length > 0) {
    await store.put(`${folder}/predictions.jsonl`, encoded(lines.map((line) => `${line}\n`).join("")));
  }
  const chosen = spec.search === undefined ? {} : { params };
  const result: FoldResult = { ...fold, metrics: end.metrics, trainRows, testRows, ...chosen };
  await putJson(store, `${folder}.json`, result as unknown as Json);
  await removeCheckpoints(store, folder);
  return result;
}

/** What a search over a fold's training rows chooses; undefined where it was interrupted. */
async function searchedParams(
  { spec, run: given, division, store, runs }: FoldsOptions,
  fold: Fold,
  whole: Named<Json>,
  slot: number,
  signal: AbortSignal,
): Promise<Named<Json> | undefined> {
  const inner = innerSpec(whole, spec.search ?? null, given, division);
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
    runs: { ...runs, run: (own, folder, options) => runs.run(own, `${below}/${folder}`, { ...options, slot }) },
    signal,
    best: undefined,
  });
  if (signal.aborted) return undefined;
  if (best) return best.params;
  throw refused("crossvalidate", `${below}: none of ${trials.length} trials came to a figure`);
}

/** Figures over folds: means, corrected intervals, and each fold's. What is no number in a fold is left out. */
function foldMetrics(results: readonly FoldResult[]): FoldMetrics {
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const names = Object.keys(results[0]?.metrics ?? {});
  return Object.fromEntries(
    names.flatMap((name) => {
      const values = results.map(({ metrics }) => metrics[name] ?? NaN);
      if (!values.every(Number.isFinite)) return [];
      const sizes = {
        trainRows: mean(results.map((r) => r.trainRows)),
        testRows: mean(results.map((r) => r.testRows)),
      };
      const { low, high } = correctedInterval({ values, ...sizes });
      return [[name, { mean: mean(values), interval: [low, high], folds: values }]];
    }),
  );
}

/** The rows of each fold by their place in the data that is divided. */
async function placesOf({ spec, run, division, host }: FoldsOptions): Promise<(fold: Fold) => Int32Array> {
  const { folds, stratify, group, seed } = division;
  const opened = await run.use("data", dividedSource(spec, run)).open(host);
  const [classes, groups]: [unknown[], unknown[]] = [[], []];
  let rows = 0;
  for await (const { row } of opened.read()) {
    rows++;
    if (stratify !== null) classes.push(row[stratify]);
    if (group !== null) groups.push(row[group]);
  }
  const made = new Map<number, Int32Array>();
  const divided = (repeat: number): Int32Array => {
    const known = made.get(repeat) ?? divideRows({
      rows,
      folds,
      classes: stratify === null ? undefined : classes,
      groups: group === null ? undefined : groups,
      random: createRandom(seed).fork("folds", repeat),
    });
    made.set(repeat, known);
    return known;
  };
  return ({ fold, repeat }) => {
    const of = divided(repeat);
    return Int32Array.from(of.keys()).filter((row) => of[row] === fold);
  };
}

/** The predictions of all folds in one file, in the order of the rows within each division. */
async function joinPredictions(store: Store, folds: readonly Fold[]): Promise<void> {
  const lines: { repeat: number; row: number; line: string }[] = [];
  for (const { number, repeat } of folds) {
    const file = await store.get(`fold-${number}/predictions.jsonl`);
    for (const line of file ? new TextDecoder().decode(file.bytes).split("\n") : []) {
      if (line !== "") lines.push({ repeat, row: Number(JSON.parse(line).row ?? Infinity), line });
    }
  }
  if (lines.length === 0) return;
  lines.sort((a, b) => a.repeat - b.repeat || (a.row === b.row ? 0 : a.row - b.row));
  await store.put("predictions.jsonl", encoded(lines.map(({ line }) => `${line}\n`).join("")));
}

const encoded = (text: string): Uint8Array => new TextEncoder().encode(text);
