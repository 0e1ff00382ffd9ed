/**
 * Files, fine-tuning jobs and runners: their routes, which `createApp` mounts, and what keeps jobs going.
 * @module
 */
import type { Context } from "hono";
import { sealStore } from "../../core/jobs/sealed.ts";
import { filesIn, type JobFilesStore } from "../../core/jobs/files.ts";
import { type Jobs, jobsIn } from "../../core/jobs/jobs.ts";
import type { JobRecord } from "../../core/jobs/record.ts";
import type { Store } from "../../core/types.ts";
import { eventHub } from "./event_hub.ts";
import type { Prepared } from "./job_planner.ts";
import { createJobReferences } from "./job_references.ts";
import { fileRoutes } from "./files.ts";
import { fineTuningRoutes } from "./fine_tuning.ts";
import type { Route } from "../http/route.ts";
import { createJobPreparer } from "./prepare_jobs.ts";
import { runnerRoutes } from "./runners.ts";
import type { ModelFiles } from "../http/model_registry.ts";
import type { JobsAppOptions, JobsContext } from "./jobs_context.ts";

export type { JobsAppOptions } from "./jobs_context.ts";

/** How often in the time of a lease all jobs are looked at: what is lost is found a tenth of it late. */
const WATCHES = 10;

/** How often files whose time is over are removed, in milliseconds. */
const SWEEP = 60_000;

/** The routes, and what keeps jobs going: call `watch` every few seconds, or `start` it. */
export type JobsApp = Readonly<{
  routes: readonly Route[];
  store: Store;
  jobs: Jobs;
  files: JobFilesStore;
  /** What a tenant's job has made, by the name that the job tells. */
  resultOf(name: string, tenant: string): Promise<ModelFiles | undefined>;
  /** What a job will take, found in this thread. Throws AttuneError that says what is wrong with it. */
  plan(record: JobRecord): Promise<Prepared>;
  watch(): Promise<void>;
  /** What of the store is damaged, and was set aside. */
  damaged(): readonly string[];
  /** Watches until the result is called. */
  start(): () => void;
}>;

/**
 * Makes them.
 *
 * @example
 * ```ts
 * import { jobsApp } from "attune/edge/jobs-app";
 * console.assert(typeof jobsApp === "function");
 * ```
 */
export function jobsApp(options: JobsAppOptions): JobsApp {
  const { store, queue } = options;
  const now = options.now ?? (() => performance.now());
  const time = options.time ?? (() => Date.now() / 1000);
  const leaseSeconds = options.leaseSeconds ?? 30;
  const heartbeatSeconds = options.heartbeatSeconds ?? leaseSeconds / 3;
  const report = (error: unknown): void => options.onError?.(error instanceof Error ? error : new Error(String(error)));
  const sealed = sealStore(store, options.tell);
  const jobs = jobsIn({
    store,
    sealed,
    queue,
    now,
    time,
    leaseSeconds,
    maxAttempts: options.maxAttempts ?? 5,
    forgetful: options.forgetful,
    onError: options.onError,
  });
  const files = filesIn(store, time, sealed);
  const later = (c: Context, work: Promise<void>): void => {
    const settled = work.catch(report);
    try {
      // Cloudflare wants to be told of it; elsewhere a process lives on.
      c.executionCtx.waitUntil(settled);
    } catch {
      // there is none
    }
  };
  const references = createJobReferences({
    store,
    jobs,
    files,
    models: options.models,
    planner: options.planner,
  });
  const { resultOf: trained } = references;
  const plan = async (record: JobRecord): Promise<Prepared> =>
    await options.planner.plan(record.spec, await references.placesOf(record));
  const { planElsewhere } = options;
  const prepare = createJobPreparer({
    jobs,
    plan: async (record) =>
      planElsewhere ? await planElsewhere(record, await references.bytesOf(record)) : await plan(record),
    time,
    report,
    settled: (id) => hub.tell(id),
  });
  const hub = eventHub(jobs, options.forgetful);
  const context: JobsContext = {
    options,
    sealed,
    jobs,
    files,
    hub,
    time,
    leaseSeconds,
    heartbeatSeconds,
    checkReferences: references.check,
    folder: references.folder,
    resultOf: trained,
    prepare,
    later,
  };
  let swept = now();
  const watch = async (): Promise<void> => {
    // A server that died while it planned a job has left it so.
    const begun = (await jobs.watch()).map(prepare);
    // A plan that takes long holds up neither other plans nor the look at leases.
    if (options.forgetful) await Promise.all(begun);
    else for (const plan of begun) plan.catch(report);
    if (now() - swept < SWEEP) return;
    swept = now();
    await files.expire();
  };
  return {
    routes: [...fileRoutes(context), ...fineTuningRoutes(context), ...runnerRoutes(context)],
    store,
    jobs,
    files,
    resultOf: trained,
    plan,
    watch,
    damaged: sealed.damaged,
    start: () => {
      let running = false;
      const timer = setInterval(() => {
        if (running) return;
        running = true;
        void watch().catch(report).finally(() => (running = false));
      }, 1000 * leaseSeconds / WATCHES);
      void watch().catch(report);
      return () => clearInterval(timer);
    },
  };
}
