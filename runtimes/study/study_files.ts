/**
 * The files of a search: study.json says what it is, trials.jsonl how each trial went, and each trial has a folder, whose
 * trial.json says what it tries before it begins.
 * @module
 */
import { badFile, refused, show } from "../../core/base/errors.ts";
import type { Json, Named, Store, Trial } from "../../core/types.ts";

/** A trial as trials.jsonl has it. */
export type TrialLine = Trial & Readonly<{ run: string; message?: string | undefined }>;

const STUDY = "study.json";
const TRIALS = "trials.jsonl";

/** The folder of a trial within a search's. */
export const trialFolder = (number: number): string => `trials/${String(number).padStart(4, "0")}`;

/** Files of a search in its folder. */
export interface StudyFiles {
  /** How the trials ended that did. */
  trials(): Promise<readonly TrialLine[]>;
  /** Adds one that has ended; it is on the disk then. */
  add(trial: TrialLine): Promise<void>;
  /** What a trial tries, as it was noted before it began. */
  params(number: number): Promise<Named<Json> | undefined>;
  note(number: number, params: Named<Json>): Promise<void>;
  /** Lets a trial's checkpoints go, which nothing goes on from any more. */
  clear(number: number): Promise<void>;
  /** Writes the report. */
  report(page: string): Promise<void>;
  /** The steps at which a trial's run was evaluated, with a figure of each, by its log. */
  logged(number: number, metric: string): Promise<Trial["values"]>;
}

/**
 * Opens the files of a search, or begins them.
 *
 * @throws AttuneError (`REFUSED`) where they are another search's, with every difference.
 */
export async function openStudyFiles(store: Store, study: Named<Json>): Promise<StudyFiles> {
  await keepDescription(store, STUDY, study);
  return {
    trials: async () => await readTrials(store),
    add: async (trial) => {
      const line = new TextEncoder().encode(`${JSON.stringify(trial)}\n`);
      if (store.append) await store.append(TRIALS, line, { sync: true });
      else await store.put(TRIALS, joined((await store.get(TRIALS))?.bytes, line));
    },
    params: async (number) => (await jsonAt(store, `${trialFolder(number)}.json`))?.params as Named<Json> | undefined,
    clear: async (number) => await removeCheckpoints(store, trialFolder(number)),
    report: async (page) => void await store.put("report.html", new TextEncoder().encode(page)),
    note: async (number, params) => await putJson(store, `${trialFolder(number)}.json`, { number, params }),
    logged: async (number, metric) => await loggedValues(store, `${trialFolder(number)}/log.jsonl`, metric),
  };
}

/** Removes the checkpoints of a run that has ended, whose end is written down elsewhere. */
export async function removeCheckpoints(store: Store, folder: string): Promise<void> {
  const keys: string[] = [];
  for await (const { key } of store.list(`${folder}/checkpoints/`)) keys.push(key);
  for (const key of keys) await store.delete(key);
}

/** Bytes of all that a store has. */
export async function bytesIn(store: Store): Promise<number> {
  let bytes = 0;
  for await (const { size } of store.list("")) bytes += size;
  return bytes;
}

/**
 * Writes what several runs are, or compares it with what they were.
 *
 * @throws AttuneError (`REFUSED`) with every difference.
 */
export async function keepDescription(store: Store, key: string, now: Named<Json>): Promise<void> {
  const before = await jsonAt(store, key) ?? now;
  const lines = Object.keys({ ...before, ...now }).filter((name) =>
    !mayChange.has(name) && canonical(before[name]) !== canonical(now[name])
  ).map((name) => `  ${name}: was ${show(before[name])}, now ${show(now[name])}`);
  if (lines.length > 0) throw refused("study", `${key} is of other runs:\n${lines.join("\n")}`);
  await putJson(store, key, now);
}

/** What a search may be told anew when it goes on. */
const mayChange: ReadonlySet<string> = new Set(["trials", "parallel", "versions"]);

/** Lines of trials that ended. One that was cut off is taken away: its trial ends once more. */
async function readTrials(store: Store): Promise<readonly TrialLine[]> {
  const file = await store.get(TRIALS);
  if (!file) return [];
  const text = new TextDecoder().decode(file.bytes);
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  if (whole.length < text.length) await store.put(TRIALS, new TextEncoder().encode(whole));
  return whole.split("\n").filter((line) => line !== "").map((line, i) => {
    try {
      return JSON.parse(line) as TrialLine;
    } catch {
      throw badFile("search", TRIALS, `line ${i + 1} is not JSON`);
    }
  });
}

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
    // Behind the last step there may be another, of the best weights.
    if (type === "evaluate" && !values.has(step)) values.set(step, metrics[metric] ?? null);
  }
  return [...values];
}

/** What a JSON file of a store holds; undefined where there is none. */
export async function jsonAt(store: Store, key: string): Promise<Named<Json> | undefined> {
  const file = await store.get(key);
  return file && JSON.parse(new TextDecoder().decode(file.bytes));
}

/** Writes a JSON file. */
export async function putJson(store: Store, key: string, value: Json): Promise<void> {
  await store.put(key, new TextEncoder().encode(JSON.stringify(value, null, 2) + "\n"));
}

function joined(before: Uint8Array | undefined, line: Uint8Array): Uint8Array {
  const all = new Uint8Array((before?.length ?? 0) + line.length);
  if (before) all.set(before);
  all.set(line, before?.length ?? 0);
  return all;
}

/** A value as JSON, whatever order its keys have. */
function canonical(value: Json | undefined): string {
  return JSON.stringify(
    value,
    (_, own) =>
      typeof own === "object" && own !== null && !Array.isArray(own)
        ? Object.fromEntries(Object.entries(own).sort(([a], [b]) => (a < b ? -1 : 1)))
        : own,
  ) ?? "";
}
