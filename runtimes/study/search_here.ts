/**
 * A whole search in a folder: its trials, the best of them once more, its report.
 * @module
 */
import { planRun } from "../../core/run/plan.ts";
import { trialSpec } from "../../core/search_space.ts";
import type { Json, Named, Run, Search, Store, Study } from "../../core/types.ts";
import { VERSION } from "../../core/version.ts";
import { composed } from "../host/plugin_packages.ts";
import { withLoggers } from "../host/run_loggers.ts";
import { hostHere } from "../host/train.ts";
import { type Budget, countTrials } from "./budget.ts";
import { renderSearch } from "./report.ts";
import { bestTrial, runStudy } from "./run_study.ts";
import type { RunEnd, Runs } from "./runs.ts";
import { openStudyFiles, type TrialLine } from "./study_files.ts";

/** A search that is set up. */
export type SearchHere = Readonly<{
  run: Run;
  search: Search;
  direction: Study["direction"];
  spec: Named<Json>;
  /** Where its files are. */
  store: Store;
  runs: Runs;
  signal: AbortSignal;
  /** Where the best is trained once more, from the runs' folder; undefined: it is not. */
  best: string | undefined;
  timeout?: number | undefined;
  tell?: (trial: TrialLine, best: TrialLine | undefined) => void;
}>;

/** How a search ended. `best` is absent where no trial came to a figure, `end` where the best was not trained once more. */
export type SearchEnd = Readonly<{
  trials: readonly TrialLine[];
  best?: TrialLine | undefined;
  end?: RunEnd | undefined;
}>;

/** Searches to the end, or to where it is interrupted. */
export async function searchHere(options: SearchHere): Promise<SearchEnd> {
  const { run, search, direction, spec, store, runs, signal, timeout, tell = () => {} } = options;
  const files = await openStudyFiles(store, describeStudy(spec, run, search, direction));
  const began = performance.now();
  const trials = await runStudy({
    name: run.name,
    search,
    direction,
    spec: logged(spec),
    files,
    runs,
    signal,
    isOver: () => timeout !== undefined && performance.now() - began >= 1000 * timeout,
    tell: (trial, { trials }) => {
      if (trial.state !== "running") tell(trial, bestTrial(trials as readonly TrialLine[], direction));
    },
  });
  const { metric, pruner, space } = search.settings;
  const study = { name: run.name, space, direction, trials };
  const page = { study, metric, sampler: search.name, pruner: pruner.name };
  await files.report(renderSearch(page));
  const best = bestTrial(trials, direction);
  if (!best || signal.aborted || options.best === undefined) return { trials, best };
  const winner = withLoggers({ ...trialSpec(spec, best.params), name: run.name });
  const end = await runs.run(winner, options.best, { slot: 0, signal, see: () => {}, test: true });
  if (end.reason === "interrupted") return { trials, best };
  await files.report(renderSearch({ ...page, winner: { split: end.split ?? "eval", metrics: end.metrics } }));
  return { trials, best, end };
}

/** A spec whose runs keep a log, and no report: that one would measure the untouched model each time. */
function logged(spec: Named<Json>): Named<Json> {
  const { loggers } = withLoggers(spec) as { loggers: Json[] };
  const nameOf = (use: Json): Json | undefined => (typeof use === "string" ? use : (use as Named<Json>).use);
  return { ...spec, loggers: loggers.filter((use) => nameOf(use) !== "report") };
}

/** What the trials of a search take, and the best once more. `here`: they run on this machine. */
export async function searchBudget(spec: Named<Json>, search: Search, here = true): Promise<Budget> {
  const trials = countTrials(search);
  return {
    runs: trials === undefined ? undefined : trials + 1,
    what: `${trials ?? "the"} trials, and the best once more`,
    plan: here ? await planRun(await composed(trialSpec(spec, {})), await hostHere()) : undefined,
  };
}

/** What study.json says. */
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
