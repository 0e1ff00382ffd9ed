/**
 * `attune search`: tries values of a spec's options and trains the best once more.
 * @module
 */
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { badSpec, missing } from "../../core/errors.ts";
import { directionOf } from "../../core/run/judged.ts";
import { planRun } from "../../core/run/plan.ts";
import { trialSpec } from "../../core/search_space.ts";
import type { Json, Named, Run, Search, Study } from "../../core/types.ts";
import { VERSION } from "../../core/version.ts";
import { composed } from "../host/plugin_packages.ts";
import { readSpec, specPath } from "../host/spec_file.ts";
import { hostHere } from "../host/train.ts";
import { type Budget, countTrials } from "../study/budget.ts";
import { renderSearch } from "../study/report.ts";
import { bestTrial, runStudy } from "../study/run_study.ts";
import { type Runs, runsHere } from "../study/runs.ts";
import { openStudyFiles, type StudyFiles, type TrialLine } from "../study/study_files.ts";
import { exitCodes } from "./exit.ts";
import { withLoggers } from "./run.ts";
import { jsonSpeaker, type SearchSpeaker, textSpeaker } from "./search_speaker.ts";
import { inFolder } from "./study_output.ts";

/** Options of `attune search`. */
export type SearchCommandOptions = Readonly<{
  trials?: number;
  timeout?: number;
  output?: string;
  set?: readonly string[];
  resume?: boolean;
  parallel?: number;
  dryRun?: boolean;
  json?: boolean;
}>;

/** Searches as the spec says. */
export async function searchCommand(path: string, options: SearchCommandOptions): Promise<number> {
  const { trials, parallel } = options;
  const more = Object.entries({ trials, parallel }).flatMap(([key, value]) =>
    value === undefined ? [] : [`search.with.${key}=${value}`]
  );
  const given = await readSpec(specPath(path), options.set);
  // Without one, these options alone would look like one.
  if ((given.search ?? null) === null) throw badSpec([missing("spec", "what is searched, and how", "search")]);
  const spec = await readSpec(specPath(path), [...options.set ?? [], ...more]);
  const run = await composed(spec);
  const search = run.search as Search;
  const direction = directionOf(run);
  const budget = await searchBudget(spec, search);
  const say = options.json ? jsonSpeaker() : textSpeaker();
  say.budget(budget);
  if (!budget.plan.fits) return exitCodes.refused;
  if (options.dryRun) return exitCodes.done;
  const output = resolve(options.output ?? join("runs", run.name));
  return await inFolder("search", output, options.resume, async (signal) => {
    const folder = join(output, "search");
    const host = await hostHere();
    const store = host.directory?.(folder);
    if (!store) throw missing("search", "access to files", host.runtime);
    const files = await openStudyFiles(store, describeStudy(spec, run, search, direction));
    const threads = search.settings.parallel === 1
      ? undefined
      : Math.max(1, Math.floor(cpus().length / search.settings.parallel));
    const runs = runsHere(folder, threads);
    try {
      const study = { name: run.name, search, direction, spec, files, runs, signal };
      return await searched({ ...study, folder, say, timeout: options.timeout, test: run.data.test !== undefined });
    } finally {
      await runs.close();
    }
  });
}

/** A search that is set up. */
type Searched = Readonly<{
  name: string;
  search: Search;
  direction: Study["direction"];
  spec: Named<Json>;
  files: StudyFiles;
  runs: Runs;
  signal: AbortSignal;
  folder: string;
  say: SearchSpeaker;
  timeout: number | undefined;
  test: boolean;
}>;

async function searched(options: Searched): Promise<number> {
  const { search, direction, name, spec, files, runs, signal, folder, say, timeout, test } = options;
  const began = performance.now();
  const isOver = (): boolean => timeout !== undefined && performance.now() - began >= 1000 * timeout;
  const tell = (trial: TrialLine, { trials }: Study): void => {
    if (trial.state !== "running") {
      say.trial(trial, bestTrial(trials as readonly TrialLine[], direction), search.settings.metric);
    }
  };
  const trials = await runStudy({ name, search, direction, spec: logged(spec), files, runs, signal, isOver, tell });
  const { metric, pruner, space } = search.settings;
  const study = { name, space, direction, trials };
  const page = { study, metric, sampler: search.name, pruner: pruner.name };
  await files.report(renderSearch(page));
  if (signal.aborted) return exitCodes.interrupted;
  const best = bestTrial(trials, direction);
  if (!best) {
    const why = trials.find(({ message }) => message !== undefined)?.message ?? "no trial was made";
    process.stderr.write(`None of the ${trials.length} trials came to a figure: ${why}\n`);
    return exitCodes.failed;
  }
  const winner = withLoggers({ ...trialSpec(spec, best.params), name });
  const end = await runs.run(winner, "best", { slot: 0, signal, see: () => {}, test: true });
  if (end.reason === "interrupted") return exitCodes.interrupted;
  const split = test ? "test" : "eval";
  await files.report(renderSearch({ ...page, winner: { split, metrics: end.metrics } }));
  say.winner({ best, split, metrics: end.metrics, metric, folder });
  return exitCodes.done;
}

/** A spec whose runs keep a log, and no report: that one would measure the untouched model each time. */
function logged(spec: Named<Json>): Named<Json> {
  const { loggers } = withLoggers(spec) as { loggers: Json[] };
  const nameOf = (use: Json): Json | undefined => (typeof use === "string" ? use : (use as Named<Json>).use);
  return { ...spec, loggers: loggers.filter((use) => nameOf(use) !== "report") };
}

/** What the trials of a search take, and the best once more. */
export async function searchBudget(spec: Named<Json>, search: Search): Promise<Budget> {
  const trials = countTrials(search);
  return {
    runs: trials === undefined ? undefined : trials + 1,
    what: `${trials ?? "the"} trials, and the best once more`,
    plan: await planRun(await composed(trialSpec(spec, {})), await hostHere()),
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
