/**
 * The files of a search: study.json describes it, trials.jsonl has the result of each trial, and each trial's folder
 * has a trial.json with its values, written before it begins.
 */
import { badFile, refused, show } from "../../core/base/errors.ts";
import { differences } from "../../core/run/checkpoints/resume.ts";
import { wrongParams } from "../../core/spec/search_space.ts";
import type { Json, Named, Space, Store, Trial } from "../../core/types.ts";
import { writeJson } from "../../core/files/json_files.ts";
import { joinBytes } from "../../core/base/bytes.ts";

/** A trial as in trials.jsonl. */
export type TrialLine = Trial & Readonly<{ run: string; message?: string | undefined }>;

/**
 * The record of a trial before it begins. `kills`: how often its process was killed for lack of memory before;
 * `killsHere`: the machine's count of such kills when it began, absent if it was stopped regularly.
 */
export type TrialStart = Readonly<
  { number: number; params: Named<Json>; kills?: number | undefined; killsHere?: number | undefined }
>;

const STUDY = "study.json";
const TRIALS = "trials.jsonl";

/** Returns the folder of a trial within the search's. */
export const trialFolder = (number: number): string => `trials/${String(number).padStart(4, "0")}`;

/** Files of a search in its folder. */
export interface StudyFiles {
  /** Returns the trials that have ended. */
  trials(): Promise<readonly TrialLine[]>;
  /** Adds a trial that has ended; afterwards it is on the disk. */
  add(trial: TrialLine): Promise<void>;
  /** Returns the record of a trial before it began. */
  started(number: number): Promise<TrialStart | undefined>;
  /** Records whose folder this is before the trial begins; files of another trial there are removed. */
  recordStart(folder: string, trial: TrialStart): Promise<void>;
  /** Removes a trial's checkpoints, which are not needed any more. */
  clear(number: number): Promise<void>;
  /** Writes the report. */
  report(page: string): Promise<void>;
  /** Returns the steps at which a trial's run was evaluated, with a figure for each, from its log. */
  logged(number: number, metric: string): Promise<Trial["values"]>;
}

/**
 * Opens the files of a search, or creates them.
 *
 * @throws AttuneError (`REFUSED`) that lists every difference, if they are those of another search.
 */
export async function openStudyFiles(store: Store, study: Named<Json>): Promise<StudyFiles> {
  await keepDescription(store, STUDY, study);
  const space = study.space as unknown as Named<Space>;
  return {
    trials: async () => await readTrials(store, space),
    add: async (trial) => {
      const line = new TextEncoder().encode(`${JSON.stringify(trial)}\n`);
      if (store.append) await store.append(TRIALS, line, { sync: true });
      else await store.put(TRIALS, joinBytes([(await store.get(TRIALS))?.bytes ?? new Uint8Array(), line]));
    },
    started: async (number) => {
      const key = `${trialFolder(number)}.json`;
      const started = await jsonAt(store, key);
      if (!started) return undefined;
      const problem = wrongTrial({ ...started, ...unended }, space);
      if (problem !== undefined || started.number !== number) {
        throw badFile("search", key, problem ?? "is of another trial");
      }
      return started as unknown as TrialStart;
    },
    clear: async (number) => await removeCheckpoints(store, trialFolder(number)),
    report: async (page) => void await store.put("report.html", new TextEncoder().encode(page)),
    recordStart: async (folder, trial) => {
      const key = `${folder}.json`;
      const started = await jsonAt(store, key);
      if (started && started.number !== trial.number) await remove(store, [`${folder}/`, `${folder}.job.json`]);
      await writeJson(store, key, JSON.parse(JSON.stringify(trial)));
    },
    logged: async (number, metric) => await loggedValues(store, `${trialFolder(number)}/log.jsonl`, metric),
  };
}

/** Removes the checkpoints of a run that has ended, and whose result is recorded elsewhere. */
export async function removeCheckpoints(store: Store, folder: string): Promise<void> {
  await remove(store, [`${folder}/checkpoints/`]);
}

/** Removes all keys with these prefixes. */
async function remove(store: Store, prefixes: readonly string[]): Promise<void> {
  for (const prefix of prefixes) {
    const keys: string[] = [];
    for await (const { key } of store.list(prefix)) keys.push(key);
    for (const key of keys) await store.delete(key);
  }
}

/** Returns the total bytes of a store. */
export async function bytesIn(store: Store): Promise<number> {
  let bytes = 0;
  for await (const { size } of store.list("")) bytes += size;
  return bytes;
}

/**
 * Writes the description of several runs, or compares it with the existing one.
 *
 * @throws AttuneError (`REFUSED`) that lists the differences.
 */
export async function keepDescription(store: Store, key: string, now: Named<Json>): Promise<void> {
  const before = await jsonAt(store, key) ?? now;
  const changed = differences(before, now).filter(({ path }) => !mayChange.has(path.split(".")[0] ?? ""));
  const lines = changed.slice(0, MOST_SHOWN).map(({ path, was, is }) => `  ${path}: was ${show(was)}, now ${show(is)}`);
  if (changed.length > MOST_SHOWN) lines.push(`  and ${changed.length - MOST_SHOWN} others`);
  if (changed.length > 0) throw refused("study", `${key} belongs to other runs:\n${lines.join("\n")}`);
  await writeJson(store, key, now);
}

/** Number of differences that are listed. */
const MOST_SHOWN = 20;

/** Fields that may change when a search is resumed. */
const mayChange: ReadonlySet<string> = new Set(["trials", "parallel", "versions"]);

/** Reads the trials that have ended. An incomplete last line is removed, so that its trial ends once more. */
async function readTrials(store: Store, space: Named<Space>): Promise<readonly TrialLine[]> {
  const file = await store.get(TRIALS);
  if (!file) return [];
  const text = new TextDecoder().decode(file.bytes);
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  if (whole.length < text.length) await store.put(TRIALS, new TextEncoder().encode(whole));
  const seen = new Set<number>();
  return whole.split("\n").filter((line) => line !== "").map((line, i) => {
    const trial = parsed("search", TRIALS, line, `line ${i + 1} is not JSON`) as TrialLine;
    const problem = wrongTrial(trial, space) ??
      (seen.has(trial.number) ? `trial ${trial.number} is there twice` : undefined);
    if (problem !== undefined) throw badFile("search", TRIALS, `line ${i + 1}: ${problem}`);
    seen.add(trial.number);
    return trial;
  });
}

/** The fields of a trial's line that its earlier record lacks. */
const unended = { state: "failed", values: [], value: null, run: "" };

/** Returns why a value is not an ended trial of a space; undefined if it is one. */
function wrongTrial(given: unknown, space: Named<Space>): string | undefined {
  const { number, params, state, values, value, run } = Object(given) as Named<Json>;
  const isFigure = (x: Json | undefined): boolean => x === null || Number.isFinite(x);
  if (!Number.isInteger(number) || Number(number) < 0) {
    return `number: expected a whole number but found ${show(number)}`;
  }
  if (typeof params !== "object" || params === null) return `params: expected values by path but found ${show(params)}`;
  const outside = wrongParams(space, params as Named<Json>);
  if (outside !== undefined) return `params.${outside}`;
  if (!ends.has(state)) return `state: expected ${[...ends].join(", ")} but found ${show(state)}`;
  const isReport = (pair: Json): boolean => Array.isArray(pair) && Number.isInteger(pair[0]) && isFigure(pair[1]);
  if (!Array.isArray(values) || !values.every(isReport)) {
    return `values: expected [step, figure] each but found ${show(values)}`;
  }
  if (!isFigure(value) || (state === "complete" && value === null)) {
    return `value: expected a number but found ${show(value)}`;
  }
  return typeof run === "string" ? undefined : `run: expected a folder but found ${show(run)}`;
}

const ends: ReadonlySet<Json | undefined> = new Set(["complete", "pruned", "failed"]);

async function loggedValues(store: Store, key: string, metric: string): Promise<Trial["values"]> {
  const file = await store.get(key);
  const values = new Map<number, number | null>();
  for (const line of file ? new TextDecoder().decode(file.bytes).split("\n") : []) {
    let event: { type?: string; step?: number; metrics?: Named<number | null> };
    try {
      event = JSON.parse(line);
    } catch {
      continue; // the end of a line that was cut off
    }
    const { type, step = 0, metrics = {} } = event;
    // After the last step there may be another evaluation, of the best weights.
    if (type === "evaluate" && !values.has(step)) values.set(step, metrics[metric] ?? null);
  }
  return [...values];
}

/** Reads a JSON file of a store; undefined if there is none. */
export async function jsonAt(store: Store, key: string): Promise<Named<Json> | undefined> {
  const file = await store.get(key);
  return file && parsed("study", key, new TextDecoder().decode(file.bytes), "is not JSON") as Named<Json>;
}

function parsed(plugin: string, key: string, text: string, problem: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    throw badFile(plugin, key, problem);
  }
}
