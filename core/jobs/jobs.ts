/** Jobs in a store: every change is a compare-and-set of one record, and queue entries are only hints. */
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

/** The jobs of a store, which any number of processes may share. */
export interface Jobs {
  /** Returns an unused id. */
  newId(): string;
  /** Creates a tenant's job, or returns the existing job with that id. */
  create(tenant: string, request: Named<Json>, spec: Named<Json>, id?: string): Promise<JobRecord>;
  get(id: string): Promise<JobRecord | undefined>;
  /** Yields jobs, the newest first; with `after`, only those created before that job. */
  list(after?: string): AsyncIterable<JobRecord>;
  /** Applies a change, again if another process was faster, until it succeeds; undefined if there is no such job. */
  change(id: string, apply: (record: JobRecord) => Change): Promise<Changed | undefined>;
  /** Leases a waiting job that a runner can do; undefined if there is none. `secret`: hash of the lease's token. */
  lease(runner: string, can: (job: JobOffer) => boolean, secret?: string): Promise<JobRecord | undefined>;
  events(id: string): JobEvents;
  /**
   * Checks the running jobs that this process knows, and all jobs once per lease time: ends leases without heartbeats,
   * and puts waiting jobs into the queue. Returns the ids of jobs that are not planned yet.
   */
  watch(): Promise<readonly string[]>;
}

/** Returns the jobs of a store and a queue. */
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
