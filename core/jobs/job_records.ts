/** Records of jobs in a store, and what a process remembers of those that it has seen. */
import { keysBelow } from "../files/store_key.ts";
import type { OpenQueue, Store } from "../types.ts";
import { eventsIn, type JobEvents } from "./events.ts";
import { isJobId } from "./names.ts";
import { isTerminal, type JobRecord } from "./record.ts";
import { type Sealed, sealStore } from "./sealed.ts";

/** Options of job records. `now`: a clock that only goes forward, in milliseconds; `time`: seconds since 1970, for people. */
export type JobsOptions = Readonly<{
  store: Store;
  /** The store's values; absent: made here. */
  sealed?: Sealed;
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

/** The part of a job that decides which runner may take it; it does not change once the job is planned. */
export type JobOffer = Pick<JobRecord, "tenant" | "needs">;

/** The cached part of a job that is not over. */
export type KnownJob = JobOffer & Readonly<{ status: JobRecord["status"]; leased: boolean }>;

/** When a lease's sign of life was first seen, by this process's clock. */
export type SeenLease = Readonly<{ token: number; beat: number; since: number }>;

/** The records of a store as one process sees them. */
export type JobRecords = Readonly<{
  options: JobsOptions;
  sealed: Sealed;
  logs: Map<string, JobEvents>;
  /** Jobs that nothing can change any more. */
  over: Set<string>;
  /** The others, as they were last seen. */
  open: Map<string, KnownJob>;
  leases: Map<string, SeenLease>;
}>;

/** A record, and the revision to write over it. */
export type ReadRecord = Readonly<{ record: JobRecord; revision: string }>;

/** How many logs are remembered. */
const LOGS = 256;

/** The records of a store, of which nothing is remembered yet. */
export function jobRecords(options: JobsOptions): JobRecords {
  const sealed = options.sealed ?? sealStore(options.store);
  return { options, sealed, logs: new Map(), over: new Set(), open: new Map(), leases: new Map() };
}

const keyOf = (id: string): string => `records/${id}.json`;

/** A job's record; undefined if there is none. `how`: as Sealed has it. */
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

/** Writes a record over a revision; `null`: where there is none. False: another was faster. */
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

/** The ids of all records. */
export async function recordIds({ options }: JobRecords): Promise<string[]> {
  const ids: string[] = [];
  for await (const key of keysBelow(options.store, "records/")) {
    const id = /^records\/([^/]+)\.json$/.exec(key)?.[1];
    if (id !== undefined) ids.push(id);
  }
  return ids;
}

/** A job's log. */
export function logOf({ options, sealed, logs }: JobRecords, id: string): JobEvents {
  const log = logs.get(id) ?? eventsIn(options.store, `jobs/${id}/events/`, sealed);
  // The one that was not asked for the longest is forgotten.
  logs.delete(id);
  logs.set(id, log);
  for (const oldest of logs.keys()) {
    if (logs.size <= LOGS) break;
    logs.delete(oldest);
  }
  return log;
}
