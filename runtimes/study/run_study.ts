/**
 * A search: trials are proposed, run, pruned and recorded, with the same results even if it is interrupted and resumed.
 *
 * If several run at a time, trial n begins once trial n - parallel has ended, and no later result is used for it. So
 * proposals and pruning do not depend on timing.
 */
import { AttuneError } from "../../core/base/errors.ts";
import { createRandom } from "../../core/math/random.ts";
import type { PartNamer } from "../../core/spec/default_parts.ts";
import { trialSpec } from "../../core/spec/search_space.ts";
import type { Json, Named, Search, Study, Trial } from "../../core/types.ts";
import type { Runs } from "./runs.ts";
import { killsBefore } from "./memory_kills.ts";
import { type StudyFiles, trialFolder, type TrialLine } from "./study_files.ts";

/** Options of a search. */
export type StudyOptions = Readonly<{
  name: string;
  search: Search;
  direction: Study["direction"];
  /** The spec to be searched, from which each trial's spec is made. */
  spec: Named<Json>;
  /** Names the parts that the task adds to the spec, so that their options can be searched. */
  partName?: PartNamer | undefined;
  files: StudyFiles;
  runs: Runs;
  /** Aborted when the search is interrupted. */
  signal: AbortSignal;
  /** Number of kills for lack of memory after which a trial has failed. Default: 3. */
  kills?: number | undefined;
  /** Returns whether no further trial may begin. */
  isOver: () => boolean;
  /** Called when a trial begins, and when it has ended. */
  report: (trial: TrialLine, study: Study) => void;
}>;

/** Runs a search until it ends or is interrupted; returns the trials that have ended. */
export async function runStudy(options: StudyOptions): Promise<readonly TrialLine[]> {
  const { search, files, runs, signal, isOver, direction, name, report } = options;
  const { trials: most = Infinity, parallel, seed, space } = search.settings;
  const ended = new Map((await files.trials()).map((trial) => [trial.number, trial]));
  // Completes the cleaning up after the last recorded trial.
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
      // Trials that may still be running count as running, whether they are or not.
      const known = begun.map((
        trial,
      ) => (trial.number <= number - parallel ? ended.get(trial.number) ?? trial : trial));
      const study: Study = { name, space, direction, trials: known };
      const started = await files.started(number);
      const params = ended.get(number)?.params ?? started?.params ??
        search.next(study, createRandom(seed).fork("trial", number));
      if (params === undefined) break;
      const trial: Trial = { number, params, state: "running", values: [], value: null };
      begun.push(trial);
      if (ended.has(number)) {
        running.push(Promise.resolve());
        continue;
      }
      const kills = killsBefore(started ?? {}, runs.memoryKills?.());
      // With several at a time, it is unknown which one took too much memory.
      if (kills > 0 || alone) await Promise.all(running);
      const own = beginTrial(options, trial, kills, study, stop.signal).then(async (line) => {
        if (!line) return;
        await files.add(line);
        ended.set(number, line);
        await files.clear(number);
        report(line, { ...study, trials: [...ended.values()] });
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

/** Records a trial and runs it, unless it was killed too often; undefined if interrupted. */
async function beginTrial(
  options: StudyOptions,
  trial: Trial,
  kills: number,
  study: Study,
  signal: AbortSignal,
): Promise<TrialLine | undefined> {
  const { files, runs, report, kills: most = 3 } = options;
  const { number, params } = trial;
  const run = trialFolder(number);
  if (kills >= most) {
    const message = `the system killed its process for lack of memory, ${kills} ${kills === 1 ? "time" : "times"}`;
    return { ...trial, state: "failed", run, message };
  }
  await files.recordStart(run, { number, params, kills, killsHere: runs.memoryKills?.() });
  report({ ...trial, run }, study);
  const line = await runTrial(options, trial, study, signal);
  // Later kills do not concern this trial.
  if (!line) await files.recordStart(run, { number, params, kills });
  return line;
}

/** Runs one trial; undefined if interrupted. */
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
    // Reports after the decision come from a run that does not know of it yet.
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
          // Earlier reports are repeated, so a trial that was interrupted while being pruned is pruned again.
          for (const [step, value] of logged) if (step <= event.step) report(step, value);
        }
        if (event.type === "evaluate") report(event.step, finite(event.metrics[metric]));
      },
    });
    // A run that ended before it knew of the decision is pruned all the same, so timing does not matter.
    if (pruned) return line("pruned", values.at(-1)?.[1] ?? null);
    if (end.reason === "interrupted") return undefined;
    if (end.reason === "diverged") return line("failed", null, end.message);
    // If the loss is not a number, other metrics mean nothing: an accuracy would be chance.
    const lost = [metric, "loss"].find((key) => key in end.metrics && finite(end.metrics[key]) === null);
    const value = finite(end.metrics[metric]);
    if (lost !== undefined) return line("failed", null, `its ${lost} is not a number`);
    return value === null ? line("failed", null, `it has no ${metric}`) : line("complete", value);
  } catch (error) {
    if (signal.aborted) return undefined;
    if (pruned) return line("pruned", values.at(-1)?.[1] ?? null);
    if (isExternal(error) || failsAlways(error, params, study)) throw error;
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
 * Whether all trials so far have failed with the same error, whatever their values, so that others would, too. Failures
 * by values that are not finite or by lack of memory do not count.
 */
function failsAlways(error: unknown, params: Named<Json>, { trials, space }: Study): boolean {
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

/** Whether an error has other causes than a trial's options, such as the disk. The trial is then repeated. */
function isExternal(error: unknown): boolean {
  if (!(error instanceof AttuneError)) return false;
  const { code, plugin } = error;
  return externalCodes.has(code) || (code === "REFUSED" && (plugin === "run" || plugin === "resume"));
}

const externalCodes: ReadonlySet<string> = new Set([
  ...["DISK_FULL", "STORE", "NOT_WRITABLE", "NOT_INSTALLED", "NO_RUNTIME", "DAMAGED_CHECKPOINT", "OTHER_VERSION"],
  ...["USAGE", "UNREACHABLE", "URL_FAILED", "URL_REFUSED"],
]);

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

/** Returns the best of the complete trials; of equal ones, the first. */
export function bestTrial<T extends Trial>(trials: readonly T[], direction: Study["direction"]): T | undefined {
  const sign = direction === "maximize" ? -1 : 1;
  return trials.filter(({ state, value }) => state === "complete" && value !== null)
    .sort((a, b) => sign * (Number(a.value) - Number(b.value)) || a.number - b.number)[0];
}
