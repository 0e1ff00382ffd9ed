/** The watch over jobs: ends leases without heartbeats, and keeps waiting jobs in the queue. */
import { changeJob } from "./change_job.ts";
import { type JobRecords, readRecord, recordIds, type SeenLease } from "./job_records.ts";
import { isWaiting, loseLease } from "./record.ts";

/** Key under which a forgetful process stores the leases that it has seen. */
const SEEN = "watch/seen.json";

/** Checks jobs once; returns the ids of those that are not planned yet. */
export type Watch = () => Promise<readonly string[]>;

/** Creates a watch that starts now. */
export function watchOver(jobs: JobRecords): Watch {
  const { options, leases, sealed, open } = jobs;
  const patience = 1000 * options.leaseSeconds;
  let watched = options.now();
  let looked: number | undefined;
  const recall = async (): Promise<void> => {
    const stored = await sealed.read<{ watched: number; seen: [string, SeenLease][] }>(SEEN);
    if (!stored) return;
    watched = stored.value.watched;
    leases.clear();
    for (const [id, lease] of stored.value.seen) leases.set(id, lease);
  };
  return async () => {
    const at = options.now();
    if (options.forgetful) await recall();
    // After a long time without a watch, during which leases may not have been renewed, they get their full time again.
    if (at - watched > patience) leases.clear();
    watched = at;
    // The caches only have this process's changes; those of other processes are found when all jobs are checked.
    const all = options.forgetful || looked === undefined || at - looked >= patience;
    const unplanned: string[] = [];
    for (const id of all ? await unsureOf(jobs) : [...open.keys()].filter((id) => isAtWork(jobs, id))) {
      if (await look(jobs, id, at) === "unplanned") unplanned.push(id);
    }
    if (all) {
      await sealed.look();
      looked = at;
    }
    if (options.forgetful) await sealed.write(SEEN, { watched, seen: [...leases] });
    return unplanned;
  };
}

/** Checks one job. */
async function look(jobs: JobRecords, id: string, at: number): Promise<"planned" | "unplanned"> {
  const { options: { queue, leaseSeconds, time }, leases } = jobs;
  const stored = await readRecord(jobs, id, "glance");
  if (!stored) return "planned";
  const { status, token, lease } = stored.record;
  if (isWaiting(stored.record)) await queue.push(id);
  if (status === "running" && lease) {
    const known = leases.get(id);
    if (known?.token !== token || known.beat !== lease.beat) leases.set(id, { token, beat: lease.beat, since: at });
    else if (at - known.since > 1000 * leaseSeconds) {
      await changeJob(jobs, id, (record) => loseLease(record, token, lease.beat, time()));
    }
  }
  return status === "validating_files" ? "unplanned" : "planned";
}

function isAtWork({ open }: JobRecords, id: string): boolean {
  const job = open.get(id);
  return job?.leased === true || job?.status === "validating_files";
}

/** Returns the ids of jobs that other processes may have changed: all but finished jobs and those in the queue. */
async function unsureOf(jobs: JobRecords): Promise<string[]> {
  const hints = await jobs.options.queue.ids?.();
  const rests = (id: string): boolean => {
    const job = jobs.open.get(id);
    return job !== undefined && !isAtWork(jobs, id) && job.status !== "paused" && hints?.has(id) === true;
  };
  return (await recordIds(jobs)).filter((id) => !jobs.over.has(id) && !rests(id));
}
