/**
 * A search: trials are proposed, run, pruned and written down, the same ones however it is cut off and goes on.
 *
 * With several at a time trial n begins when trial n - parallel has ended, and knows of no later one how it went: so what is
 * proposed and pruned depends on no clock.
 */
import { AttuneError } from "../../core/base/errors.ts";
import { createRandom } from "../../core/math/random.ts";
import type { PartNamer } from "../../core/spec/brought_parts.ts";
import { trialSpec } from "../../core/spec/search_space.ts";
import type { Json, Named, Search, Study, Trial } from "../../core/types.ts";
import type { Runs } from "./runs.ts";
import { killsBefore } from "./memory_kills.ts";
import { type StudyFiles, trialFolder, type TrialLine } from "./study_files.ts";

/** What a search is made of. */
export type StudyOptions = Readonly<{
  name: string;
  search: Search;
  direction: Study["direction"];
  /** The spec that is searched; each trial's is made of it. */
  spec: Named<Json>;
  /** Names what its task brings, so that options of it can be searched. */
  partName?: PartNamer | undefined;
  files: StudyFiles;
  runs: Runs;
  /** Aborted where the search is interrupted. */
  signal: AbortSignal;
  /** How often a trial's process may be killed so before the trial has failed; 3 unless given. */
  kills?: number | undefined;
  /** Whether no further trial may begin. */
  isOver: () => boolean;
  /** Is told of each trial: when it begins, and when it has ended. */
  tell: (trial: TrialLine, study: Study) => void;
}>;

/** Runs a search to its end, or to where it is interrupted; gives the trials that have ended. */
export async function runStudy(options: StudyOptions): Promise<readonly TrialLine[]> {
  const { search, files, runs, signal, isOver, direction, name, tell } = options;
  const { trials: most = Infinity, parallel, seed, space } = search.settings;
  const ended = new Map((await files.trials()).map((trial) => [trial.number, trial]));
  // Those of a trial whose end was the last that was written.
  for (const number of ended.keys()) await files.clear(number);
  const begun: Trial[] = [];
  let alone: Promise<void> | undefined;
  const running: Promise<void>[] = [];
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    for (let number = 0; number < most; number++) {
      if (number >= parallel) await running[number - parallel];
      if (signal.aborted || (isOver() && !ended.has(number))) break;
      // Those that may still be running are taken to be, whether they are or not.
      const known = begun.map((
        trial,
      ) => (trial.number <= number - parallel ? ended.get(trial.number) ?? trial : trial));
      const study: Study = { name, space, direction, trials: known };
      const noted = await files.noted(number);
      const params = ended.get(number)?.params ?? noted?.params ??
        search.next(study, createRandom(seed).fork("trial", number));
      if (params === undefined) break;
      const trial: Trial = { number, params, state: "running", values: [], value: null };
      begun.push(trial);
      if (ended.has(number)) {
        running.push(Promise.resolve());
        continue;
      }
      const kills = killsBefore(noted ?? {}, runs.memoryKills?.());
      // Nobody knows which of several that ran at a time took too much.
      if (kills > 0 || alone) await Promise.all(running);
      const own = beginTrial(options, trial, kills, study, stop.signal).then(async (line) => {
        if (!line) return;
        await files.add(line);
        ended.set(number, line);
        await files.clear(number);
        tell(line, { ...study, trials: [...ended.values()] });
      });
      alone = kills > 0 ? own : undefined;
      running.push(own);
      own.catch(abort);
    }
    await Promise.all(running);
  } finally {
    await Promise.allSettled(running);
    signal.removeEventListener("abort", abort);
  }
  return [...ended.values()].sort((a, b) => a.number - b.number);
}

/** Notes a trial and runs it, unless it was killed too often; undefined where it was interrupted. */
async function beginTrial(
  options: StudyOptions,
  trial: Trial,
  kills: number,
  study: Study,
  signal: AbortSignal,
): Promise<TrialLine | undefined> {
  const { files, runs, tell, kills: most = 3 } = options;
  const { number, params } = trial;
  const run = trialFolder(number);
  if (kills >= most) {
    const message = `the system killed its process for lack of memory, ${kills} ${kills === 1 ? "time" : "times"}`;
    return { ...trial, state: "failed", run, message };
  }
  await files.note(run, { number, params, kills, killsHere: runs.memoryKills?.() });
  tell({ ...trial, run }, study);
  const line = await runTrial(options, trial, study, signal);
  // What is killed from now on is none of it.
  if (!line) await files.note(run, { number, params, kills });
  return line;
}

/** Runs one trial; undefined where it was interrupted. */
async function runTrial(
  { search, spec, partName, files, runs, name }: StudyOptions,
  { number, params }: Trial,
  study: Study,
  signal: AbortSignal,
): Promise<TrialLine | undefined> {
  const { metric, pruner, parallel } = search.settings;
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  signal.addEventListener("abort", interrupt, { once: true });
  if (signal.aborted) return undefined;
  const logged = await files.logged(number, metric);
  let values: Trial["values"] = [];
  let [pruned, total] = [false, Infinity];
  const run = trialFolder(number);
  const line = (state: Trial["state"], value: number | null, message?: string): TrialLine => ({
    number,
    params,
    state,
    values,
    value,
    run,
    ...(message === undefined ? {} : { message }),
  });
  const report = (step: number, value: number | null): void => {
    // What comes behind the decision is of a run that has not heard of it yet.
    if (pruned || values.some(([at]) => at === step)) return;
    values = [...values, [step, value]];
    if (step >= total) return;
    const trial = line("running", null);
    pruned = pruner.prune(trial, { ...study, trials: [...study.trials, trial] });
    if (pruned) stop.abort("pruned");
  };
  try {
    const trialRun = { ...trialSpec(spec, params, partName), name: `${name}-trial-${number}` };
    const end = await runs.run(trialRun, run, {
      slot: number % parallel,
      signal: stop.signal,
      test: false,
      see: (event) => {
        if (event.type === "start") {
          total = event.totalSteps;
          // A trial that was cut off where it was to end ends there again.
          for (const [step, value] of logged) if (step <= event.step) report(step, value);
        }
        if (event.type === "evaluate") report(event.step, finite(event.metrics[metric]));
      },
    });
    // A run that came to its end before it heard of the decision is pruned all the same: no clock decides.
    if (pruned) return line("pruned", values.at(-1)?.[1] ?? null);
    if (end.reason === "interrupted") return undefined;
    if (end.reason === "diverged") return line("failed", null, end.message);
    // Where the loss is no number, neither is what rows are answered: a share of right ones is chance.
    const lost = [metric, "loss"].find((key) => key in end.metrics && finite(end.metrics[key]) === null);
    const value = finite(end.metrics[metric]);
    if (lost !== undefined) return line("failed", null, `its ${lost} is not a number`);
    return value === null ? line("failed", null, `it has no ${metric}`) : line("complete", value);
  } catch (error) {
    if (signal.aborted) return undefined;
    if (pruned) return line("pruned", values.at(-1)?.[1] ?? null);
    if (isElsewhere(error) || isOfAll(error, params, study)) throw error;
    const sentence = error instanceof AttuneError
      ? error.sentence
      : error instanceof Error
      ? error.message
      : String(error);
    return line("failed", null, sentence);
  } finally {
    signal.removeEventListener("abort", interrupt);
  }
}

/**
 * Whether all trials so far have failed alike, whatever their values of each option: so would the others. Those that came
 * to numbers that are not finite, or did not fit in memory, say nothing of others.
 */
function isOfAll(error: unknown, params: Named<Json>, { trials, space }: Study): boolean {
  if (!(error instanceof AttuneError) || error.code === "NON_FINITE" || error.plugin === "plan") return false;
  const ended = (trials as readonly (Trial & Partial<TrialLine>)[]).filter(({ state }) => state !== "running");
  if (ended.length === 0 || ended.some(({ state, message }) => state !== "failed" || message !== error.sentence)) {
    return false;
  }
  const tried = [params, ...ended.map((trial) => trial.params)];
  return Object.entries(space).every(([path, range]) => {
    const isFixed = range.type === "categorical" ? range.choices.length < 2 : range.low === range.high;
    return isFixed || new Set(tried.map((own) => JSON.stringify(own[path]))).size > 1;
  });
}

/** Whether what went wrong is none of a trial's options: the disk, the server, who else is there. The trial is made again then. */
function isElsewhere(error: unknown): boolean {
  if (!(error instanceof AttuneError)) return false;
  const { code, plugin } = error;
  return elsewhere.has(code) || (code === "REFUSED" && (plugin === "run" || plugin === "resume"));
}

const elsewhere: ReadonlySet<string> = new Set([
  ...["DISK_FULL", "STORE", "NOT_WRITABLE", "NOT_INSTALLED", "NO_RUNTIME", "DAMAGED_CHECKPOINT", "OTHER_VERSION"],
  ...["USAGE", "UNREACHABLE", "URL_FAILED", "URL_REFUSED"],
]);

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

/** The best of the complete trials; of equals the first. */
export function bestTrial<T extends Trial>(trials: readonly T[], direction: Study["direction"]): T | undefined {
  const sign = direction === "maximize" ? -1 : 1;
  return trials.filter(({ state, value }) => state === "complete" && value !== null)
    .sort((a, b) => sign * (Number(a.value) - Number(b.value)) || a.number - b.number)[0];
}
