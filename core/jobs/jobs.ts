/**
 * Jobs in a store: every change is a compare-and-set of one record, every queue a hint.
 * @module
 */
import { AttuneError } from "../errors.ts";
import { keysBelow } from "../store_key.ts";
import type { Json, Named, OpenQueue, Store } from "../types.ts";
import { eventsIn, type JobEvents, type NewEvent } from "./events.ts";
import { isJobId } from "./names.ts";
import { type Sealed, sealedIn } from "./sealed.ts";
import { type Change, isOver, isWaiting, type JobRecord, leased, lost, outdated, type Refusal } from "./record.ts";

/** What jobs are kept with. `now`: a clock that only goes forward, in milliseconds; `time`: seconds since 1970, for people. */
export type JobsOptions = Readonly<{
  store: Store;
  /** The store's values; absent: made here. */
  kept?: Sealed;
  queue: OpenQueue;
  now: () => number;
  time: () => number;
  /** How long a runner may give no sign of life. */
  leaseSeconds: number;
  /** Attempts without progress before a job fails. */
  maxAttempts: number;
  /** True where no process lives on between two looks at the jobs: what was seen is kept in the store, `now` is the day's. */
  forgetful?: boolean;
  /** Is told of what fails behind a change that is made: a note, a hint, the end of files that nobody needs. */
  onError?: (error: Error) => void;
  /** Random text for ids; tests make their own. */
  random?: () => string;
}>;

/** How a change went. */
export type Changed = Readonly<{ record: JobRecord; refused?: Refusal }>;

/** The jobs of a store; any number of processes may hold the same. */
export interface Jobs {
  /** An id that nothing has. */
  newId(): string;
  /** Makes a tenant's job; where one of that id is there already, gives that one. */
  create(tenant: string, request: Named<Json>, spec: Named<Json>, id?: string): Promise<JobRecord>;
  get(id: string): Promise<JobRecord | undefined>;
  /** The newest first, those created before `after`. */
  list(after?: string): AsyncIterable<JobRecord>;
  /** Applies a change until it wins; undefined where there is no such job. */
  change(id: string, apply: (record: JobRecord) => Change): Promise<Changed | undefined>;
  /** A waiting job that a runner can do, with its lease. `secret`: what the lease's holder is known by, as a hash. */
  lease(runner: string, can: (job: JobOffer) => boolean, secret?: string): Promise<JobRecord | undefined>;
  events(id: string): JobEvents;
  /**
   * Looks at the jobs that this process knows to be at work, and once in the time of a lease at all of them: leases without
   * a sign of life are lost, waiting jobs are put into the queue. Gives the jobs that nobody has planned yet.
   */
  watch(): Promise<readonly string[]>;
}

/** What of a job decides who may have it; it does not change once the job was planned. */
export type JobOffer = Pick<JobRecord, "tenant" | "needs">;

/** What is remembered of a job that is not over. */
type Known = JobOffer & Readonly<{ status: JobRecord["status"]; leased: boolean }>;

/** Where a forgetful process keeps what it has seen of leases. */
const SEEN = "watch/seen.json";

/** How many jobs of which nothing is known yet are looked at for one runner at once. */
const LOOKS = 50;

/** How many hints are held back at once where a queue gives what is not wanted. */
const HINTS = 1000;

/** How many logs are remembered. */
const LOGS = 256;

/** Jobs over a store and a queue. */
export function jobsIn(options: JobsOptions): Jobs {
  const { store, queue, now, time, leaseSeconds } = options;
  const random = options.random ?? (() => crypto.randomUUID().replaceAll("-", "").slice(0, 16));
  const kept = options.kept ?? sealedIn(store);
  const keyOf = (id: string): string => `records/${id}.json`;
  const logs = new Map<string, JobEvents>();
  const over = new Set<string>();
  const open = new Map<string, Known>();
  let seen = new Map<string, { token: number; beat: number; since: number }>();
  let watched = now();
  let looked: number | undefined;
  const remember = async (): Promise<void> => {
    const found = await kept.read<{ watched: number; seen: [] }>(SEEN);
    if (found) [watched, seen] = [found.value.watched, new Map(found.value.seen)];
  };

  const events = (id: string): JobEvents => {
    const found = logs.get(id) ?? eventsIn(store, `jobs/${id}/events/`, kept);
    // The one that was not asked for the longest is forgotten.
    logs.delete(id);
    logs.set(id, found);
    for (const oldest of logs.keys()) {
      if (logs.size <= LOGS) break;
      logs.delete(oldest);
    }
    return found;
  };
  const noted = (record: JobRecord): void => {
    const { id, tenant, needs, status, lease } = record;
    if (isOver(record)) {
      open.delete(id);
      over.add(id);
    } else open.set(id, { tenant, needs, status, leased: lease !== undefined });
  };
  const read = async (
    id: string,
    how: "read" | "tryRead" | "glance" = "read",
  ): Promise<{ record: JobRecord; revision: string } | undefined> => {
    if (!isJobId(id)) return undefined;
    const found = await kept[how]<JobRecord>(keyOf(id));
    if (!found) {
      open.delete(id);
      return undefined;
    }
    noted(found.value);
    return { record: found.value, revision: found.revision };
  };
  const write = async (record: JobRecord, revision: string | null): Promise<boolean> => {
    const done = await kept.write(keyOf(record.id), record, { if: revision }) !== "conflict";
    if (done) noted(record);
    return done;
  };
  const ids = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const key of keysBelow(store, "records/")) {
      const id = /^records\/([^/]+)\.json$/.exec(key)?.[1];
      if (id !== undefined) found.push(id);
    }
    return found;
  };
  const change: Jobs["change"] = async (id, apply) => {
    while (true) {
      const found = await read(id);
      if (!found) return undefined;
      const { record, refused } = { refused: undefined, record: found.record, ...apply(found.record) };
      if (refused !== undefined || record === found.record) return { record: found.record, refused };
      if (!await write(record, found.revision)) continue;
      await told(found.record, record).catch((error) => options.onError?.(error));
      return { record };
    }
  };
  /** What follows from a change, and may be lost or come twice: notes, hints, files that are no longer needed. */
  const told = async (before: JobRecord, after: JobRecord): Promise<void> => {
    const notes = notesOf(before, after);
    if (notes.length > 0) {
      await events(after.id).append(notes.map((note) => ({ at: time(), level: "info", type: "message", ...note })));
    }
    if (isWaiting(after) && !isWaiting(before)) await queue.push(after.id);
    const still = new Set(outdated(before).map((c) => c.folder));
    for (const { folder, files } of outdated(after)) {
      if (!still.has(folder)) { for (const file of files) await store.delete(`${folder}${file}`); }
    }
    if (after.result?.deleted && before.result) {
      for (const file of before.result.files) await store.delete(`${before.result.folder}${file}`);
    }
    if (isOver(after)) {
      logs.delete(after.id);
      seen.delete(after.id);
    }
  };

  const isAtWork = (id: string): boolean => {
    const job = open.get(id);
    return job?.leased === true || job?.status === "validating_files";
  };
  /** Jobs of which another process may have made something else: not those that are over, or wait and are in the queue. */
  const unsure = async (): Promise<string[]> => {
    const hints = await queue.ids?.();
    const rests = (id: string): boolean => {
      const job = open.get(id);
      return job !== undefined && !isAtWork(id) && job.status !== "paused" && hints?.has(id) === true;
    };
    return (await ids()).filter((id) => !over.has(id) && !rests(id));
  };

  const newId = (): string => `ftjob-${Math.floor(time() * 1000).toString(36).padStart(9, "0")}${random()}`;

  return {
    newId,
    create: async (tenant, request, spec, id = newId()) => {
      const at = time();
      const record: JobRecord = {
        version: 1,
        id,
        tenant,
        status: "validating_files",
        createdAt: at,
        request,
        spec,
        needs: { bytes: 0, provider: null, plugins: [] },
        token: 0,
        attempts: 0,
        causes: [],
        maxAttempts: options.maxAttempts,
        step: 0,
        trainedTokens: 0,
        checkpoints: [],
      };
      if (!await write(record, null)) {
        const there = await read(id);
        if (there) return there.record;
        throw new AttuneError(`Job ${id} cannot be made`, { code: "CONFLICT", plugin: "jobs" });
      }
      await events(id).append([{ at, level: "info", type: "message", message: `Created fine-tuning job: ${id}` }]);
      return record;
    },
    get: async (id) => (await read(id))?.record,
    list: async function* (after) {
      for (const id of (await ids()).sort().reverse()) {
        if (after !== undefined && id >= after) continue;
        const found = await read(id, "glance");
        if (found) yield found.record;
      }
    },
    change,
    lease: async (runner, can, secret) => {
      const passed: { back(): Promise<void> }[] = [];
      const wanted = (id: string): boolean => {
        const known = open.get(id);
        return known === undefined || known.status === "validating_files" || can(known);
      };
      try {
        for (let looks = 0; looks < LOOKS && passed.length < HINTS;) {
          const hint = await queue.pull(leaseSeconds, wanted);
          if (!hint) return undefined;
          if (!wanted(hint.id)) {
            passed.push(hint);
            continue;
          }
          looks++;
          const found = await read(hint.id, "tryRead");
          if (found && isWaiting(found.record) && !can(found.record)) {
            passed.push(hint);
            continue;
          }
          const done = found && await change(hint.id, (record) => leased(record, runner, time(), secret));
          await hint.done();
          if (done && done.refused === undefined) return done.record;
        }
        return undefined;
      } finally {
        for (const hint of passed) await hint.back();
      }
    },
    events,
    watch: async () => {
      const at = now();
      const unplanned: string[] = [];
      if (options.forgetful) await remember();
      // Where nobody watched for long, leases could not be renewed either: they get their time again.
      if (at - watched > 1000 * leaseSeconds) seen.clear();
      watched = at;
      // What this process has done it knows; what others have done is found when all are looked at.
      const all = options.forgetful || looked === undefined || at - looked >= 1000 * leaseSeconds;
      for (const id of all ? await unsure() : [...open.keys()].filter(isAtWork)) {
        const found = await read(id, "glance");
        if (!found) continue;
        const { record } = found;
        if (record.status === "validating_files") unplanned.push(id);
        if (isWaiting(record)) await queue.push(id);
        const { token, lease } = record;
        if (record.status !== "running" || !lease) continue;
        const known = seen.get(id);
        if (known?.token !== token || known.beat !== lease.beat) seen.set(id, { token, beat: lease.beat, since: at });
        else if (at - known.since > 1000 * leaseSeconds) await change(id, (r) => lost(r, token, lease.beat, time()));
      }
      if (all) {
        await kept.look();
        looked = at;
      }
      if (options.forgetful) await kept.write(SEEN, { watched, seen: [...seen] });
      return unplanned;
    },
  };
}

/** What people are told of a change. */
function notesOf(before: JobRecord, after: JobRecord): (Pick<NewEvent, "message"> & Partial<NewEvent>)[] {
  const notes: (Pick<NewEvent, "message"> & Partial<NewEvent>)[] = [];
  if (after.causes.length > before.causes.length) {
    notes.push({ level: "warn", message: `Attempt ended: ${after.causes.at(-1)}` });
  }
  if (after.token > before.token) {
    const from = after.checkpoints.at(-1)?.step;
    const where = from === undefined ? "" : `, from the checkpoint of step ${from}`;
    notes.push({ message: `Runner ${after.lease?.runner} has taken the job${where}` });
  }
  if (after.checkpoints.length > before.checkpoints.length) {
    notes.push({ message: `Checkpoint created at step ${after.checkpoints.at(-1)?.step}` });
  }
  if (after.wants !== before.wants && after.wants) notes.push({ message: `The runner is asked to ${after.wants}` });
  if (after.status === before.status) return notes;
  const words: Named<string> = {
    queued: before.status === "paused" ? "The job goes on" : "The job is queued",
    paused: "The job is paused",
    succeeded: "The job has successfully completed",
    cancelled: "The job was cancelled",
    failed: after.error?.message ?? "The job has failed",
  };
  const message = words[after.status];
  if (message !== undefined) notes.push({ message, level: after.status === "failed" ? "error" : "info" });
  return notes;
}
