/** The watch over jobs: leases without a sign of life are lost, waiting jobs are in the queue. */
import { changeJob } from "./change_job.ts";
import { type JobRecords, readRecord, recordIds, type SeenLease } from "./job_records.ts";
import { isWaiting, loseLease } from "./record.ts";

/** Where a forgetful process keeps what it has seen of leases. */
const SEEN = "watch/seen.json";

/** Looks at jobs once; gives those that nobody has planned yet. */
export type Watch = () => Promise<readonly string[]>;

/** A watch that begins now. */
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
    // Where nobody watched for long, leases could not be renewed either: they get their time again.
    if (at - watched > patience) leases.clear();
    watched = at;
    // What this process has done it knows; what others have done is seen when all are looked at.
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

/** Looks at one job. */
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

/** Jobs of which another process may have made something else: not those that are over, or wait and are in the queue. */
async function unsureOf(jobs: JobRecords): Promise<string[]> {
  const hints = await jobs.options.queue.ids?.();
  const rests = (id: string): boolean => {
    const job = jobs.open.get(id);
    return job !== undefined && !isAtWork(jobs, id) && job.status !== "paused" && hints?.has(id) === true;
  };
  return (await recordIds(jobs)).filter((id) => !jobs.over.has(id) && !rests(id));
}
