/** Changes of a job's record, which are retried until they succeed, and their consequences. */
import type { Named } from "../types.ts";
import type { NewEvent } from "./events.ts";
import { type JobRecords, logOf, readRecord, writeRecord } from "./job_records.ts";
import { type Change, isTerminal, isWaiting, type JobRecord, outdatedCheckpoints, type Refusal } from "./record.ts";

/** The result of a change. */
export type Changed = Readonly<{ record: JobRecord; refused?: Refusal }>;

/** Applies a change, again if another process was faster, until it succeeds; undefined if there is no such job. */
export async function changeJob(
  jobs: JobRecords,
  id: string,
  apply: (record: JobRecord) => Change,
): Promise<Changed | undefined> {
  while (true) {
    const before = await readRecord(jobs, id);
    if (!before) return undefined;
    const { record, refused } = { refused: undefined, record: before.record, ...apply(before.record) };
    if (refused !== undefined || record === before.record) return { record: before.record, refused };
    if (!await writeRecord(jobs, record, before.revision)) continue;
    await follow(jobs, before.record, record).catch((error) => jobs.options.onError?.(error));
    return { record };
  }
}

/** Applies side effects of a change, which may be lost or repeated: events, queue entries, deletion of old files. */
async function follow(jobs: JobRecords, before: JobRecord, after: JobRecord): Promise<void> {
  const { store, queue, time } = jobs.options;
  const notes = notesOf(before, after);
  if (notes.length > 0) {
    await logOf(jobs, after.id).append(notes.map((note) => ({ at: time(), level: "info", type: "message", ...note })));
  }
  if (isWaiting(after) && !isWaiting(before)) await queue.push(after.id);
  const still = new Set(outdatedCheckpoints(before).map((c) => c.folder));
  for (const { folder, files } of outdatedCheckpoints(after)) {
    if (!still.has(folder)) { for (const file of files) await store.delete(`${folder}${file}`); }
  }
  if (after.result?.deleted && before.result) {
    for (const file of before.result.files) await store.delete(`${before.result.folder}${file}`);
  }
  if (isTerminal(after)) {
    jobs.logs.delete(after.id);
    jobs.leases.delete(after.id);
  }
}

/** Returns the events that report a change to users. */
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
  if (after.wants !== before.wants && after.wants) notes.push({ message: `The runner was asked to ${after.wants}` });
  if (after.status === before.status) return notes;
  const words: Named<string> = {
    queued: before.status === "paused" ? "The job has resumed" : "The job is queued",
    paused: "The job is paused",
    succeeded: "The job has successfully completed",
    cancelled: "The job was cancelled",
    failed: after.error?.message ?? "The job has failed",
  };
  const message = words[after.status];
  if (message !== undefined) notes.push({ message, level: after.status === "failed" ? "error" : "info" });
  return notes;
}
