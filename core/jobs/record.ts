/**
 * A job's record and how it may change: pure functions, so that whoever holds the store applies them with
 * compare-and-set.
 *
 * A lease gives a token that is one above every earlier one. What a runner does names its token, and only the newest
 * counts: a runner that was stopped past its lease and wakes up finds a higher one and can change nothing. No clock
 * decides here; who finds a lease dead says so.
 */
import type { Json, Named } from "../types.ts";

/** Where a job stands: OpenAI's names. */
export type JobStatus = "validating_files" | "queued" | "running" | "paused" | "succeeded" | "failed" | "cancelled";

/** Why a job failed. */
export type JobError = Readonly<{ code: string; message: string; param: string | null }>;

/** A job's requirements of a runner. `bytes`: memory. */
export type JobNeeds = Readonly<{ bytes: number; provider: string | null; plugins: readonly string[] }>;

/** Files of one moment under a folder that only one lease writes to. */
export type JobFiles = Readonly<{ folder: string; files: readonly string[] }>;

/** One saved moment of a job that another runner can go on from. */
export type JobCheckpoint = JobFiles & Readonly<{ id: string; step: number; at: number; metrics: Named<number> }>;

/** All that is known of a job. Times are seconds since 1970 and decide nothing. */
export type JobRecord = Readonly<{
  version: 1;
  id: string;
  /** Whose job it is: nobody else is told of it. */
  tenant: string;
  status: JobStatus;
  createdAt: number;
  startedAt?: number;
  finishedAt?: number;
  /** The request as it was received. */
  request: Named<Json>;
  /** The run spec; its files and model are names that runners resolve. */
  spec: Named<Json>;
  needs: JobNeeds;
  estimate?: Named<number>;
  /** How often its plan was begun: one that ends its process each time is not begun for ever. */
  plans?: number;
  /** The token of the newest lease; 0 before the first. */
  token: number;
  /** The hash of the lease's token, which only its holder has. */
  secret?: string;
  /** Who has the newest lease; absent if nobody works on the job. `beat` counts its signs of life. */
  lease?: Readonly<{ runner: string; beat: number }>;
  /** The user's pending request to the runner. */
  wants?: "cancel" | "pause";
  /** Attempts that ended without a new checkpoint, and why. */
  attempts: number;
  causes: readonly string[];
  maxAttempts: number;
  step: number;
  totalSteps?: number;
  trainedTokens: number;
  checkpoints: readonly JobCheckpoint[];
  /** `deleted`: its user has removed what the job made; its metrics are kept. */
  result?: JobFiles & Readonly<{ token: number; metrics: Named<number>; deleted?: true }>;
  error?: JobError;
}>;

/** A change of a record, or the reason why it is refused. */
export type Change = Readonly<{ record: JobRecord; refused?: undefined }> | Readonly<{ refused: Refusal }>;

/** `stale`: another lease is newer. `status`: not in this state. */
export type Refusal = "stale" | "status";

/** Checkpoints of which a record still knows the files. */
const KEPT = 2;

const changed = (record: JobRecord, change: Partial<JobRecord>): Change => ({ record: { ...record, ...change } });
const refused = (refusal: Refusal): Change => ({ refused: refusal });

/** Whether nothing can change any more. */
export function isTerminal({ status }: JobRecord): boolean {
  return status === "succeeded" || status === "failed" || status === "cancelled";
}

/** Whether somebody has to be told of the job: it waits for a runner. */
export function isWaiting({ status, lease }: JobRecord): boolean {
  return status === "queued" || (status === "running" && lease === undefined);
}

/** The checks before queueing begin, once more; `by` -1: they could not be made, which was not the job's fault. */
export function countPlan(record: JobRecord, by: 1 | -1 = 1): Change {
  if (record.status !== "validating_files") return refused("status");
  return changed(record, { plans: Math.max(0, (record.plans ?? 0) + by) });
}

/** The checks before queueing are through. */
export function queueJob(record: JobRecord, planned: Pick<JobRecord, "needs" | "estimate" | "totalSteps">): Change {
  if (record.status !== "validating_files") return refused("status");
  return changed(record, { ...planned, plans: 0, status: "queued" });
}

/** A runner takes the job. */
export function takeLease(record: JobRecord, runner: string, at: number, secret?: string): Change {
  if (!isWaiting(record)) return refused("status");
  return changed(record, {
    status: "running",
    startedAt: record.startedAt ?? at,
    token: record.token + 1,
    secret,
    lease: { runner, beat: 0 },
  });
}

/** A runner is alive. */
export function renewLease(record: JobRecord, token: number, step: number, trainedTokens: number): Change {
  return owned(record, token, (lease) => ({
    lease: { ...lease, beat: lease.beat + 1 },
    step: Math.max(record.step, step),
    trainedTokens: Math.max(record.trainedTokens, trainedTokens),
  }));
}

/** Records a checkpoint from which other runners can continue. */
export function addCheckpoint(record: JobRecord, token: number, checkpoint: JobCheckpoint): Change {
  return owned(record, token, (lease) => {
    const known = record.checkpoints.some((c) => c.step >= checkpoint.step);
    return {
      lease: { ...lease, beat: lease.beat + 1 },
      // Attempts that get further are not the kind that are given up.
      ...(known ? {} : { attempts: 0, causes: [] }),
      checkpoints: known ? record.checkpoints : [...record.checkpoints, checkpoint],
    };
  });
}

/** A runner has finished: once, by the newest lease alone. */
export function commitLease(
  record: JobRecord,
  token: number,
  result: JobFiles & Readonly<{ metrics: Named<number> }>,
  at: number,
): Change {
  if (record.status === "succeeded" && record.result?.token === token) return { record };
  return owned(record, token, () => ({
    status: "succeeded",
    finishedAt: at,
    lease: undefined,
    wants: undefined,
    result: { ...result, token },
  }));
}

/** Its user removes what the job has made. */
export function unmakeJob(record: JobRecord): Change {
  if (!record.result) return refused("status");
  if (record.result.deleted) return { record };
  return changed(record, { result: { ...record.result, files: [], deleted: true } });
}

/** A runner gives the job back: it was told to cancel or pause, it shuts down, or the run has failed. */
export function releaseLease(
  record: JobRecord,
  token: number,
  why:
    | Readonly<{ reason: "cancelled" | "paused" | "shutdown" }>
    | Readonly<{ reason: "failed"; error: JobError; retry: boolean }>,
  at: number,
): Change {
  if (record.token !== token || record.lease === undefined) return refused(isTerminal(record) ? "status" : "stale");
  const free = { lease: undefined };
  if (why.reason === "failed" && !why.retry) {
    return changed(record, { ...free, status: "failed", finishedAt: at, error: why.error, wants: undefined });
  }
  if (record.wants !== undefined) return changed({ ...record, ...free }, endedBy(record.wants, at));
  if (why.reason === "failed") return lostAttempt({ ...record, ...free }, why.error.message, at);
  return changed(record, { ...free, status: "queued" });
}

/** Whoever watches has seen no sign of life of a lease for too long. */
export function loseLease(record: JobRecord, token: number, beat: number, at: number): Change {
  const { lease } = record;
  if (record.status !== "running" || record.token !== token || lease?.beat !== beat) return refused("stale");
  const free = { ...record, lease: undefined };
  if (record.wants !== undefined) return changed(free, endedBy(record.wants, at));
  return lostAttempt(free, `runner ${lease.runner} was lost at step ${record.step}`, at);
}

/** Its user wants it to stop, for good or for a while. Where no runner has it, it does at once. */
export function requestStop(record: JobRecord, what: "cancel" | "pause", at: number): Change {
  if (isTerminal(record)) return what === "cancel" && record.status === "cancelled" ? { record } : refused("status");
  if (record.status === "paused" && what === "pause") return { record };
  if (record.lease !== undefined) return changed(record, { wants: record.wants === "cancel" ? "cancel" : what });
  return changed(record, endedBy(what, at));
}

/** Its user lets it go on. */
export function unpauseJob(record: JobRecord): Change {
  if (record.wants === "pause") return changed(record, { wants: undefined });
  if (record.status !== "paused") return refused("status");
  // One that was paused before it was looked at is looked at first.
  return changed(record, { status: record.estimate ? "queued" : "validating_files" });
}

/** The checks before queueing have found something. */
export function rejectJob(record: JobRecord, error: JobError, at: number): Change {
  if (record.status !== "validating_files") return refused("status");
  return changed(record, { status: "failed", finishedAt: at, error });
}

/** Checkpoints whose files are no longer needed. */
export function outdatedCheckpoints({ checkpoints, status }: JobRecord): readonly JobCheckpoint[] {
  return status === "succeeded" || status === "cancelled" ? checkpoints : checkpoints.slice(0, -KEPT);
}

function owned(
  record: JobRecord,
  token: number,
  change: (lease: NonNullable<JobRecord["lease"]>) => Partial<JobRecord>,
): Change {
  if (record.token !== token) return refused("stale");
  if (record.status !== "running" || record.lease === undefined) return refused("status");
  return changed(record, change(record.lease));
}

function endedBy(what: "cancel" | "pause", at: number): Partial<JobRecord> {
  return what === "pause"
    ? { status: "paused", wants: undefined }
    : { status: "cancelled", finishedAt: at, wants: undefined };
}

function lostAttempt(record: JobRecord, cause: string, at: number): Change {
  const causes = [...record.causes, cause];
  const attempts = record.attempts + 1;
  if (attempts < record.maxAttempts) return changed(record, { status: "queued", attempts, causes });
  const message = `Gave up after ${attempts} attempts without progress: ${causes.join("; ")}`;
  const error = { code: "attempts_exhausted", message, param: null };
  return changed(record, { status: "failed", finishedAt: at, attempts, causes, error });
}
