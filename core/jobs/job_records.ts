/** Records of jobs in a store, and a process's cache of those that it has read. */
import { keysBelow } from "../files/store_key.ts";
import type { OpenQueue, Store } from "../types.ts";
import { eventsIn, type JobEvents } from "./events.ts";
import { isJobId } from "./names.ts";
import { isTerminal, type JobRecord } from "./record.ts";
import { type Sealed, sealStore } from "./sealed.ts";

/** Options of job records. `now`: milliseconds of a monotonic clock; `time`: seconds since 1970, for users. */
export type JobsOptions = Readonly<{
  store: Store;
  /** The store's sealed values; created if absent. */
  sealed?: Sealed;
  queue: OpenQueue;
  now: () => number;
  time: () => number;
  /** Seconds without a heartbeat after which a runner's lease is lost. */
  leaseSeconds: number;
  /** Number of attempts without progress after which a job fails. */
  maxAttempts: number;
  /** True if no process lives between calls of `watch`: seen leases are kept in the store, `now` is wall-clock time. */
  forgetful?: boolean;
  /** Called with failures after a successful change: of an event, a queue entry, or the deletion of unused files. */
  onError?: (error: Error) => void;
  /** Returns random text for ids; tests replace it. */
  random?: () => string;
}>;

/** The part of a job that decides which runners can take it; it does not change once the job is planned. */
export type JobOffer = Pick<JobRecord, "tenant" | "needs">;

/** The cached part of an unfinished job. */
export type KnownJob = JobOffer & Readonly<{ status: JobRecord["status"]; leased: boolean }>;

/** A lease's latest heartbeat, and when this process first saw it by its own clock. */
export type SeenLease = Readonly<{ token: number; beat: number; since: number }>;

/** The records of a store, with one process's caches. */
export type JobRecords = Readonly<{
  options: JobsOptions;
  sealed: Sealed;
  logs: Map<string, JobEvents>;
  /** Ids of finished jobs, which cannot change any more. */
  over: Set<string>;
  /** The other jobs, as last read. */
  open: Map<string, KnownJob>;
  leases: Map<string, SeenLease>;
}>;

/** A record and its revision, which a write has to name. */
export type ReadRecord = Readonly<{ record: JobRecord; revision: string }>;

/** Number of logs that are cached. */
const LOGS = 256;

/** Returns the records of a store with empty caches. */
export function jobRecords(options: JobsOptions): JobRecords {
  const sealed = options.sealed ?? sealStore(options.store);
  return { options, sealed, logs: new Map(), over: new Set(), open: new Map(), leases: new Map() };
}

const keyOf = (id: string): string => `records/${id}.json`;

/** Reads a job's record; undefined if there is none. `how`: the method of `Sealed` to read with. */
export async function readRecord(
  jobs: JobRecords,
  id: string,
  how: "read" | "tryRead" | "glance" = "read",
): Promise<ReadRecord | undefined> {
  if (!isJobId(id)) return undefined;
  const stored = await jobs.sealed[how]<JobRecord>(keyOf(id));
  if (!stored) {
    jobs.open.delete(id);
    return undefined;
  }
  remember(jobs, stored.value);
  return { record: stored.value, revision: stored.revision };
}

/** Writes a record over a revision, or a new one (`null`). Returns false if another writer was faster. */
export async function writeRecord(jobs: JobRecords, record: JobRecord, revision: string | null): Promise<boolean> {
  const isWritten = await jobs.sealed.write(keyOf(record.id), record, { if: revision }) !== "conflict";
  if (isWritten) remember(jobs, record);
  return isWritten;
}

function remember({ open, over }: JobRecords, record: JobRecord): void {
  const { id, tenant, needs, status, lease } = record;
  if (isTerminal(record)) {
    open.delete(id);
    over.add(id);
  } else open.set(id, { tenant, needs, status, leased: lease !== undefined });
}

/** Returns the ids of all records. */
export async function recordIds({ options }: JobRecords): Promise<string[]> {
  const ids: string[] = [];
  for await (const key of keysBelow(options.store, "records/")) {
    const id = /^records\/([^/]+)\.json$/.exec(key)?.[1];
    if (id !== undefined) ids.push(id);
  }
  return ids;
}

/** Returns a job's log. */
export function logOf({ options, sealed, logs }: JobRecords, id: string): JobEvents {
  const log = logs.get(id) ?? eventsIn(options.store, `jobs/${id}/events/`, sealed);
  // The least recently used log is dropped.
  logs.delete(id);
  logs.set(id, log);
  for (const oldest of logs.keys()) {
    if (logs.size <= LOGS) break;
    logs.delete(oldest);
  }
  return log;
}
