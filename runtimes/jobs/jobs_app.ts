/**
 * Files, fine-tuning jobs and runners: the routes, which `createApp` mounts, and the work that keeps jobs going.
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

/** Checks of all jobs per lease time, so that a lost job is noticed at most a tenth of it late. */
const WATCHES = 10;

/** How often expired files are removed, in milliseconds. */
const SWEEP = 60_000;

/** The routes, and the work that keeps jobs going: call `watch` every few seconds, or `start` once. */
export type JobsApp = Readonly<{
  routes: readonly Route[];
  store: Store;
  jobs: Jobs;
  files: JobFilesStore;
  /** Returns the result of a tenant's job, by the name that the job reports. */
  resultOf(name: string, tenant: string): Promise<ModelFiles | undefined>;
  /** Plans a job in this thread. Throws AttuneError that says what is wrong with it. */
  plan(record: JobRecord): Promise<Prepared>;
  watch(): Promise<void>;
  /** Returns the keys of damaged values in the store, which were set aside. */
  damaged(): readonly string[];
  /** Calls `watch` regularly until the returned function is called. */
  start(): () => void;
}>;

/**
 * Creates the routes and the work behind them.
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
      // Cloudflare must be told of work after a response; elsewhere the process keeps running.
      c.executionCtx.waitUntil(settled);
    } catch {
      // there is no execution context
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
    settled: (id) => hub.notify(id),
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
    // Resumes plans of servers that died while planning.
    const begun = (await jobs.watch()).map(prepare);
    // A long plan must not delay other plans or the check of leases.
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
