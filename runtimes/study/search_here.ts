/** A whole search in a folder: its trials, another training of the best one, and its report. */
import { planRun } from "../../core/run/plan/plan.ts";
import { hasSplit } from "../../core/spec/run_data.ts";
import { partNamer } from "../../core/spec/default_parts.ts";
import { trialSpec } from "../../core/spec/search_space.ts";
import type { Json, Named, Run, Search, Store, Study } from "../../core/types.ts";
import { VERSION } from "../../core/base/version.ts";
import { composed } from "../host/plugin_packages.ts";
import { withLoggers, withPredictions } from "../host/run_loggers.ts";
import { hostHere } from "../host/train.ts";
import { type Budget, countTrials } from "./budget.ts";
import { renderSearch } from "./report.ts";
import { contentOf } from "./contents.ts";
import type { RunsCompared } from "./compared_figures.ts";
import { bestTrial, runStudy } from "./run_study.ts";
import type { RunEnd, Runs } from "./runs.ts";
import { openStudyFiles, type TrialLine } from "./study_files.ts";
import { writeJson } from "../../core/files/json_files.ts";

/** Options of a search in a folder. */
export type SearchHere = Readonly<{
  run: Run;
  search: Search;
  direction: Study["direction"];
  spec: Named<Json>;
  /** The store of its files. */
  store: Store;
  runs: Runs;
  signal: AbortSignal;
  /** The folder, relative to that of the runs, in which the best is trained once more; undefined: it is not. */
  best: string | undefined;
  /** The runs' folder, if here: the winner and the default are then compared by their models, else by their answers. */
  folder?: string | undefined;
  timeout?: number | undefined;
  /** Number of kills for lack of memory after which a trial has failed; see `runStudy`. */
  kills?: number | undefined;
  report?: (trial: TrialLine, best: TrialLine | undefined) => void;
}>;

/**
 * The result of a search. Absent are `best` if no trial has a figure, `end` if the best was not trained once more, and
 * `baseline` (the result of the original spec) and `compared` if there are no test rows for both.
 */
export type SearchEnd = Readonly<{
  trials: readonly TrialLine[];
  best?: TrialLine | undefined;
  end?: RunEnd | undefined;
  baseline?: RunEnd | undefined;
  compared?: RunsCompared | undefined;
}>;

/** Searches until the search ends or is interrupted. */
export async function searchHere(options: SearchHere): Promise<SearchEnd> {
  const { run, search, direction, spec, store, runs, signal, timeout, report = () => {} } = options;
  const content = await contentOf(run, await hostHere());
  const files = await openStudyFiles(store, { ...describeStudy(spec, run, search, direction), content });
  const began = performance.now();
  const trials = await runStudy({
    name: run.name,
    search,
    direction,
    spec: logged(spec),
    partName: partNamer(run.catalog),
    files,
    runs,
    signal,
    kills: options.kills,
    isOver: () => timeout !== undefined && performance.now() - began >= 1000 * timeout,
    report: (trial, { trials }) => {
      if (trial.state !== "running") report(trial, bestTrial(trials as readonly TrialLine[], direction));
    },
  });
  const { metric, pruner, space } = search.settings;
  const study = { name: run.name, space, direction, trials };
  const page = { study, metric, sampler: search.name, pruner: pruner.name };
  await files.report(renderSearch(page));
  const best = bestTrial(trials, direction);
  if (!best || signal.aborted || options.best === undefined) return { trials, best };
  const runTrial = async (params: Named<Json>, folder: string): Promise<RunEnd | undefined> => {
    const own = (options.folder === undefined ? withPredictions : withLoggers)({
      ...trialSpec(spec, params, partNamer(run.catalog)),
      name: folder === options.best ? run.name : folder,
    });
    const end = await runs.run(own, folder, { slot: 0, signal, see: () => {}, test: true });
    return end.reason === "interrupted" ? undefined : end;
  };
  // A resumed search may find another winner.
  await files.recordStart(options.best, { number: best.number, params: best.params });
  const end = await runTrial(best.params, options.best);
  if (!end) return { trials, best };
  const split = end.split ?? "eval";
  // A comparison on the rows that chose the winner would be unfair.
  const baseline = split === "test" ? await runTrial({}, DEFAULT) : undefined;
  if (split === "test" && !baseline) return { trials, best };
  const compared = baseline && baseline.reason !== "diverged"
    ? await comparedWith(options, options.best, end, baseline)
    : undefined;
  await files.report(renderSearch({ ...page, winner: { split, metrics: end.metrics, compared, baseline } }));
  return { trials, best, end, baseline, compared };
}

/** The folder of the original spec's run, beside the winner's. */
const DEFAULT = "default";

/** Compares the winner and the default on the test rows, also in comparison.json; undefined if there are no answers. */
async function comparedWith(
  { run, folder, runs, store }: SearchHere,
  best: string,
  own: RunEnd,
  baseline: RunEnd,
): Promise<RunsCompared | undefined> {
  // Frees the memory of what the runs keep open.
  await runs.close();
  const host = await hostHere();
  const pair = [{ folder: best, metrics: own.metrics }, { folder: DEFAULT, metrics: baseline.metrics }] as const;
  const compared = folder === undefined
    ? await (await import("./compare_answers.ts")).compareAnswers(run, store, host, pair)
    : await (await import("./compare_runs.ts")).compareRuns(`${folder}/${best}`, `${folder}/${DEFAULT}`, host);
  if (compared) await writeJson(store, "comparison.json", { split: "test", ...compared });
  return compared;
}

/** Returns a spec whose runs write a log but no report, which would evaluate the untrained model each time. */
function logged(spec: Named<Json>): Named<Json> {
  const { loggers } = withLoggers(spec) as { loggers: Json[] };
  const nameOf = (use: Json): Json | undefined => (typeof use === "string" ? use : (use as Named<Json>).use);
  return { ...spec, loggers: loggers.filter((use) => nameOf(use) !== "report") };
}

/** Returns the budget of a search: its trials, the best once more, and the original spec. `here`: on this machine. */
export async function searchBudget(spec: Named<Json>, run: Run, search: Search, here = true): Promise<Budget> {
  const trials = countTrials(search);
  const tested = run.task.subtasks.some((task) => hasSplit(task.data ?? run.data, "test"));
  return {
    runs: trials === undefined ? undefined : trials + (tested ? 2 : 1),
    what: `${trials ?? "the"} trials, ${
      tested ? "the best once more, and the unchanged spec" : "and the best once more"
    }`,
    plan: here ? await planRun(await composed(trialSpec(spec, {})), await hostHere()) : undefined,
  };
}

/** Returns the content of study.json. */
function describeStudy(spec: Named<Json>, run: Run, search: Search, direction: Study["direction"]): Named<Json> {
  const { space, seed, metric, trials, parallel, pruner } = search.settings;
  const { space: _space, ...rest } = search.options as Named<Json>;
  const sampler = Object.fromEntries(
    Object.entries(rest).filter(([key]) => !["pruner", "trials", "parallel"].includes(key)),
  );
  const { training = {} } = spec as { training?: Json };
  return {
    name: run.name,
    space: space as unknown as Json,
    seed,
    sampler: { use: search.name, with: sampler },
    pruner: { use: pruner.name, with: pruner.options as Json },
    metric,
    direction,
    trials: trials ?? null,
    parallel,
    spec: { ...trialSpec(spec, {}), training } as Json,
    versions: { attune: VERSION },
  };
}
