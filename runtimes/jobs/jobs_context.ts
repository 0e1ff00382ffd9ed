/** What the routes of files, jobs and runners are made of, and what they share. */
import type { Context } from "hono";
import type { JobFilesStore } from "../../core/jobs/files.ts";
import type { Jobs } from "../../core/jobs/jobs.ts";
import type { JobRecord } from "../../core/jobs/record.ts";
import type { Sealed } from "../../core/jobs/sealed.ts";
import type { Json, Named, OpenQueue, Store } from "../../core/types.ts";
import type { ModelFiles, ModelRegistry } from "../http/model_registry.ts";
import type { EventHub } from "./event_hub.ts";
import type { JobPlanner, Prepared } from "./job_planner.ts";

/** What the routes are made of. */
export type JobsAppOptions = Readonly<{
  /** Records, events, files, checkpoints and results. */
  store: Store;
  queue: OpenQueue;
  /** Models that jobs may name, and their files for runners that lack them. */
  models: ModelRegistry;
  planner: JobPlanner;
  /** Where jobs are planned besides this thread; `bytes`: the size of their files. */
  planElsewhere?: (record: JobRecord, bytes: number) => Promise<Prepared>;
  leaseSeconds?: number;
  heartbeatSeconds?: number;
  maxAttempts?: number;
  maxFileBytes?: number;
  maxFileSeconds?: number;
  /** True on platforms whose processes come and go; `now` must be the time of day then. */
  forgetful?: boolean;
  /** A clock that only goes forward, in milliseconds. */
  now?: () => number;
  /** Seconds since 1970. */
  time?: () => number;
  /** Is told what people have to know who run it. */
  tell?: (text: string) => void;
  /** Is told of what fails where nobody waits for an answer. */
  onError?: (error: Error) => void;
}>;

/** What routes share. */
export type JobsContext = Readonly<{
  options: JobsAppOptions;
  /** The store's values. */
  sealed: Sealed;
  jobs: Jobs;
  files: JobFilesStore;
  hub: EventHub;
  time: () => number;
  leaseSeconds: number;
  heartbeatSeconds: number;
  /** Throws what a route throws if a spec refers to what its tenant may not use. */
  checkReferences(spec: Named<Json>, tenant: string): Promise<void>;
  /** The files of a model, or of the adapter or model that a job has made. */
  folder(name: string, tenant: string): Promise<Store | undefined>;
  /** What a job of a tenant has made, by its name. */
  resultOf(name: string, tenant: string): Promise<ModelFiles | undefined>;
  /** Plans a new job and queues it, or says why not. */
  prepare(id: string): Promise<void>;
  /** Lets work go on behind an answer; what fails in it is told, and ends nothing. */
  later(c: Context, work: Promise<void>): void;
}>;
