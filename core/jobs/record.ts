/**
 * A job's record and its changes: pure functions, which the owner of the store applies with compare-and-set.
 *
 * Each lease has a token that is one higher than the previous token. Every change by a runner names its token, and only
 * the newest token is accepted: a runner that was suspended beyond its lease finds a higher token and cannot change
 * anything. No clock is used here; the watcher decides that a lease is lost.
 */
import type { Json, Named } from "../types.ts";

/** Status of a job, in OpenAI's terms. */
export type JobStatus = "validating_files" | "queued" | "running" | "paused" | "succeeded" | "failed" | "cancelled";

/** Why a job failed. */
export type JobError = Readonly<{ code: string; message: string; param: string | null }>;

/** A job's requirements of a runner. `bytes`: memory. */
export type JobNeeds = Readonly<{ bytes: number; provider: string | null; plugins: readonly string[] }>;

/** Files saved together in a folder that only one lease writes to. */
export type JobFiles = Readonly<{ folder: string; files: readonly string[] }>;

/** A checkpoint of a job, from which another runner can resume. */
export type JobCheckpoint = JobFiles & Readonly<{ id: string; step: number; at: number; metrics: Named<number> }>;

/** The record of a job. Times are seconds since 1970, for information only. */
export type JobRecord = Readonly<{
  version: 1;
  id: string;
  /** The owner; other tenants cannot see the job. */
  tenant: string;
  status: JobStatus;
  createdAt: number;
  startedAt?: number;
  finishedAt?: number;
  /** The request as it was received. */
  request: Named<Json>;
  /** The run spec; its files and models are names that runners resolve. */
  spec: Named<Json>;
  needs: JobNeeds;
  estimate?: Named<number>;
  /** Number of times that planning was started, so that a job that crashes its planner is not planned forever. */
  plans?: number;
  /** The token of the newest lease; 0 before the first. */
  token: number;
  /** Hash of the lease's secret token, which only its holder has. */
  secret?: string;
  /** The current lease; absent if no runner works on the job. `beat` counts heartbeats. */
  lease?: Readonly<{ runner: string; beat: number }>;
  /** The user's pending request to the runner. */
  wants?: "cancel" | "pause";
  /** Number of attempts that ended without a new checkpoint; `causes` are their reasons. */
  attempts: number;
  causes: readonly string[];
  maxAttempts: number;
  step: number;
  totalSteps?: number;
  trainedTokens: number;
  checkpoints: readonly JobCheckpoint[];
  /** `deleted`: the user has deleted the result's files; its metrics are kept. */
  result?: JobFiles & Readonly<{ token: number; metrics: Named<number>; deleted?: true }>;
  error?: JobError;
}>;

/** A changed record, or the reason why the change is refused. */
export type Change = Readonly<{ record: JobRecord; refused?: undefined }> | Readonly<{ refused: Refusal }>;

/** Reason of a refusal. `stale`: another lease is newer; `status`: the job's status does not allow the change. */
export type Refusal = "stale" | "status";

/** Number of the latest checkpoints whose files are kept. */
const KEPT = 2;

const changed = (record: JobRecord, change: Partial<JobRecord>): Change => ({ record: { ...record, ...change } });
const refused = (refusal: Refusal): Change => ({ refused: refusal });

/** Whether a job is finished and cannot change any more. */
export function isTerminal({ status }: JobRecord): boolean {
  return status === "succeeded" || status === "failed" || status === "cancelled";
}

/** Whether a job waits for a runner. */
export function isWaiting({ status, lease }: JobRecord): boolean {
  return status === "queued" || (status === "running" && lease === undefined);
}

/** Counts a start of planning; `by` -1 takes it back, if planning failed for reasons outside the job. */
export function countPlan(record: JobRecord, by: 1 | -1 = 1): Change {
  if (record.status !== "validating_files") return refused("status");
  return changed(record, { plans: Math.max(0, (record.plans ?? 0) + by) });
}

/** Queues a planned job. */
export function queueJob(record: JobRecord, planned: Pick<JobRecord, "needs" | "estimate" | "totalSteps">): Change {
  if (record.status !== "validating_files") return refused("status");
  return changed(record, { ...planned, plans: 0, status: "queued" });
}

/** Gives a waiting job to a runner, with a new lease. */
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

/** Records a runner's heartbeat and progress. */
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
      // A new checkpoint is progress, so earlier failed attempts no longer count.
      ...(known ? {} : { attempts: 0, causes: [] }),
      checkpoints: known ? record.checkpoints : [...record.checkpoints, checkpoint],
    };
  });
}

/** Completes a job with its result; only the newest lease can do so, and only once. */
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

/** Removes the files of a job's result at the user's request. */
export function deleteResult(record: JobRecord): Change {
  if (!record.result) return refused("status");
  if (record.result.deleted) return { record };
  return changed(record, { result: { ...record.result, files: [], deleted: true } });
}

/** Ends a lease by its runner: after a request to cancel or pause, on shutdown, or because the run failed. */
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

/** Ends a lease that has had no heartbeat for too long. */
export function loseLease(record: JobRecord, token: number, beat: number, at: number): Change {
  const { lease } = record;
  if (record.status !== "running" || record.token !== token || lease?.beat !== beat) return refused("stale");
  const free = { ...record, lease: undefined };
  if (record.wants !== undefined) return changed(free, endedBy(record.wants, at));
  return lostAttempt(free, `runner ${lease.runner} was lost at step ${record.step}`, at);
}

/** Cancels or pauses a job at the user's request: at once if no runner has it, otherwise by a request to its runner. */
export function requestStop(record: JobRecord, what: "cancel" | "pause", at: number): Change {
  if (isTerminal(record)) return what === "cancel" && record.status === "cancelled" ? { record } : refused("status");
  if (record.status === "paused" && what === "pause") return { record };
  if (record.lease !== undefined) return changed(record, { wants: record.wants === "cancel" ? "cancel" : what });
  return changed(record, endedBy(what, at));
}

/** Resumes a paused job at the user's request. */
export function unpauseJob(record: JobRecord): Change {
  if (record.wants === "pause") return changed(record, { wants: undefined });
  if (record.status !== "paused") return refused("status");
  // A job that was paused before it was planned is planned first.
  return changed(record, { status: record.estimate ? "queued" : "validating_files" });
}

/** Fails a job whose checks before queueing have found an error. */
export function rejectJob(record: JobRecord, error: JobError, at: number): Change {
  if (record.status !== "validating_files") return refused("status");
  return changed(record, { status: "failed", finishedAt: at, error });
}

/** Returns the checkpoints whose files are no longer needed. */
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
