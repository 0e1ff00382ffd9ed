/** Options of the routes of files, jobs and runners, and what the routes share. */
import type { Context } from "hono";
import type { JobFilesStore } from "../../core/jobs/files.ts";
import type { Jobs } from "../../core/jobs/jobs.ts";
import type { JobRecord } from "../../core/jobs/record.ts";
import type { Sealed } from "../../core/jobs/sealed.ts";
import type { Json, Named, OpenQueue, Store } from "../../core/types.ts";
import type { ModelFiles, ModelRegistry } from "../http/model_registry.ts";
import type { EventHub } from "./event_hub.ts";
import type { JobPlanner, Prepared } from "./job_planner.ts";

/** Options of the routes. */
export type JobsAppOptions = Readonly<{
  /** The store of records, events, files, checkpoints and results. */
  store: Store;
  queue: OpenQueue;
  /** Models that jobs may name, and their files for runners that lack them. */
  models: ModelRegistry;
  planner: JobPlanner;
  /** Plans jobs in another thread. `bytes`: the size of their files. Absent: jobs are planned in this thread. */
  planElsewhere?: (record: JobRecord, bytes: number) => Promise<Prepared>;
  leaseSeconds?: number;
  heartbeatSeconds?: number;
  maxAttempts?: number;
  maxFileBytes?: number;
  maxFileSeconds?: number;
  /** True on platforms whose processes come and go; `now` must then be the time of day. */
  forgetful?: boolean;
  /** A monotonic clock, in milliseconds. */
  now?: () => number;
  /** The time in seconds since 1970. */
  time?: () => number;
  /** Receives messages for the operator. */
  tell?: (text: string) => void;
  /** Receives errors of work that no response waits for. */
  onError?: (error: Error) => void;
}>;

/** Parts that the routes share. */
export type JobsContext = Readonly<{
  options: JobsAppOptions;
  /** Access to the store's values. */
  sealed: Sealed;
  jobs: Jobs;
  files: JobFilesStore;
  hub: EventHub;
  time: () => number;
  leaseSeconds: number;
  heartbeatSeconds: number;
  /** Throws the error to respond with if a spec refers to something that its tenant may not use. */
  checkReferences(spec: Named<Json>, tenant: string): Promise<void>;
  /** Returns the files of a model, or of the adapter or model that a job has made. */
  folder(name: string, tenant: string): Promise<Store | undefined>;
  /** Returns the result of a tenant's job, by its name. */
  resultOf(name: string, tenant: string): Promise<ModelFiles | undefined>;
  /** Plans a new job and queues it, or rejects it with the reason. */
  prepare(id: string): Promise<void>;
  /** Lets work continue after a response; its failures are reported and have no other effect. */
  later(c: Context, work: Promise<void>): void;
}>;
