/** Jobs in a store: every change is a compare-and-set of one record, every queue a hint. */
import { AttuneError } from "../base/errors.ts";
import type { Json, Named } from "../types.ts";
import { type Changed, changeJob } from "./change_job.ts";
import type { JobEvents } from "./events.ts";
import {
  type JobOffer,
  type JobRecords,
  jobRecords,
  type JobsOptions,
  logOf,
  readRecord,
  recordIds,
  writeRecord,
} from "./job_records.ts";
import { leaseJob } from "./lease_job.ts";
import type { Change, JobRecord } from "./record.ts";
import { watchOver } from "./watch_jobs.ts";

/** The jobs of a store; any number of processes may hold the same. */
export interface Jobs {
  /** An id that nothing has. */
  newId(): string;
  /** Makes a tenant's job; where one of that id is there already, gives that one. */
  create(tenant: string, request: Named<Json>, spec: Named<Json>, id?: string): Promise<JobRecord>;
  get(id: string): Promise<JobRecord | undefined>;
  /** The newest first, those created before `after`. */
  list(after?: string): AsyncIterable<JobRecord>;
  /** Applies a change until it wins; undefined if there is no such job. */
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

/** Jobs over a store and a queue. */
export function jobsIn(options: JobsOptions): Jobs {
  const jobs = jobRecords(options);
  const random = options.random ?? (() => crypto.randomUUID().replaceAll("-", "").slice(0, 16));
  const newId = (): string => `ftjob-${Math.floor(options.time() * 1000).toString(36).padStart(9, "0")}${random()}`;
  return {
    newId,
    create: async (tenant, request, spec, id = newId()) => await createJob(jobs, { id, tenant, request, spec }),
    get: async (id) => (await readRecord(jobs, id))?.record,
    list: async function* (after) {
      for (const id of (await recordIds(jobs)).sort().reverse()) {
        if (after !== undefined && id >= after) continue;
        const stored = await readRecord(jobs, id, "glance");
        if (stored) yield stored.record;
      }
    },
    change: async (id, apply) => await changeJob(jobs, id, apply),
    lease: async (runner, can, secret) => await leaseJob(jobs, runner, can, secret),
    events: (id) => logOf(jobs, id),
    watch: watchOver(jobs),
  };
}

async function createJob(
  jobs: JobRecords,
  job: Pick<JobRecord, "id" | "tenant" | "request" | "spec">,
): Promise<JobRecord> {
  const at = jobs.options.time();
  const record: JobRecord = {
    version: 1,
    id: job.id,
    tenant: job.tenant,
    status: "validating_files",
    createdAt: at,
    request: job.request,
    spec: job.spec,
    needs: { bytes: 0, provider: null, plugins: [] },
    token: 0,
    attempts: 0,
    causes: [],
    maxAttempts: jobs.options.maxAttempts,
    step: 0,
    trainedTokens: 0,
    checkpoints: [],
  };
  if (!await writeRecord(jobs, record, null)) {
    const there = await readRecord(jobs, job.id);
    if (there) return there.record;
    throw new AttuneError(`Job ${job.id} could not be created`, { code: "CONFLICT", plugin: "jobs" });
  }
  const message = `Created fine-tuning job: ${job.id}`;
  await logOf(jobs, job.id).append([{ at, level: "info", type: "message", message }]);
  return record;
}
