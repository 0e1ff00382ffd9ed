/** Leases of jobs: finds a waiting job for a runner that can do it. */
import { changeJob } from "./change_job.ts";
import { type JobOffer, type JobRecords, readRecord } from "./job_records.ts";
import { isWaiting, type JobRecord, takeLease } from "./record.ts";

/** Maximum number of records that are read to find a job for one runner. */
const LOOKS = 50;

/** Maximum number of unsuitable queue entries that are held back during the search. */
const HINTS = 1000;

/** Leases a waiting job that a runner can do; undefined if there is none. `secret`: hash of the lease's token. */
export async function leaseJob(
  jobs: JobRecords,
  runner: string,
  can: (job: JobOffer) => boolean,
  secret?: string,
): Promise<JobRecord | undefined> {
  const { queue, leaseSeconds, time } = jobs.options;
  const passed: { nack(): Promise<void> }[] = [];
  const canBeLeased = (id: string): boolean => {
    const known = jobs.open.get(id);
    return known === undefined || known.status === "validating_files" || can(known);
  };
  try {
    for (let looks = 0; looks < LOOKS && passed.length < HINTS;) {
      const hint = await queue.pull(leaseSeconds, canBeLeased);
      if (!hint) return undefined;
      if (!canBeLeased(hint.id)) {
        passed.push(hint);
        continue;
      }
      looks++;
      const stored = await readRecord(jobs, hint.id, "tryRead");
      if (stored && isWaiting(stored.record) && !can(stored.record)) {
        passed.push(hint);
        continue;
      }
      const done = stored && await changeJob(jobs, hint.id, (record) => takeLease(record, runner, time(), secret));
      await hint.ack();
      if (done && done.refused === undefined) return done.record;
    }
    return undefined;
  } finally {
    for (const hint of passed) await hint.nack();
  }
}
