/**
 * Files, fine-tuning jobs and runners: their routes, which `createApp` mounts, and what keeps jobs going.
 * @module
 */
import { filesIn, type JobFilesStore } from "../../core/jobs/files.ts";
import { type Jobs, jobsIn } from "../../core/jobs/jobs.ts";
import { type JobRecord, queued, rejected } from "../../core/jobs/record.ts";
import type { Json, Named, OpenQueue, Store } from "../../core/types.ts";
import { answerError } from "./answers.ts";
import { type EventHub, eventHub } from "./event_hub.ts";
import { fileRoutes } from "./routes/files.ts";
import { fineTuningRoutes } from "./routes/fine_tuning.ts";
import type { Route } from "./route.ts";
import { runnerRoutes } from "./routes/runners.ts";
import type { EdgeModels } from "./service.ts";

/** What a job will take, found before it is queued. Throws AttuneError where it cannot run. */
export type Prepared = Readonly<{
  needs: JobRecord["needs"];
  totalSteps?: number;
  /** Figures that people are told: tokens, seconds, bytes. */
  estimate: Named<number>;
}>;

/** What the routes are made of. */
export type JobsAppOptions = Readonly<{
  /** Records, events, files, checkpoints and results. */
  store: Store;
  queue: OpenQueue;
  /** Models that jobs may name, and their files for runners that lack them. */
  models: EdgeModels;
  /** Checks a job's rows and plans it; `rows` gives an uploaded file. Absent: jobs are queued unplanned. */
  prepare?: (spec: Named<Json>, rows: (fileId: string) => Promise<Uint8Array | undefined>) => Promise<Prepared>;
  leaseSeconds?: number;
  heartbeatSeconds?: number;
  maxAttempts?: number;
  maxFileBytes?: number;
  /** True on platforms whose processes come and go; `now` must be the time of day then. */
  forgetful?: boolean;
  /** A clock that only goes forward, in milliseconds. */
  now?: () => number;
  /** Seconds since 1970. */
  time?: () => number;
}>;

/** What routes share. */
export type JobsContext = Readonly<{
  options: JobsAppOptions;
  jobs: Jobs;
  files: JobFilesStore;
  hub: EventHub;
  time: () => number;
  leaseSeconds: number;
  heartbeatSeconds: number;
  /** Checks a new job and queues it, or says why not. */
  prepare(id: string): Promise<void>;
}>;

/** The routes, and what keeps jobs going: call `watch` every few seconds, or `start` it. */
export type JobsApp = Readonly<{
  routes: readonly Route[];
  store: Store;
  jobs: Jobs;
  files: JobFilesStore;
  watch(): Promise<void>;
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
  const jobs = jobsIn({
    store,
    queue,
    now,
    time,
    leaseSeconds,
    maxAttempts: options.maxAttempts ?? 5,
    forgetful: options.forgetful,
  });
  const files = filesIn(store, time);
  const preparing = new Set<string>();
  const prepare = async (id: string): Promise<void> => {
    if (preparing.has(id)) return;
    preparing.add(id);
    try {
      const record = await jobs.get(id);
      if (record?.status !== "validating_files") return;
      const plan = await options.prepare?.(record.spec, files.content);
      const found = plan ?? { needs: record.needs, estimate: {} };
      await jobs.change(id, (r) => queued(r, { spec: r.spec, ...found }));
    } catch (error) {
      const message = await answerError(error instanceof Error ? error : new Error(String(error))).json();
      await jobs.change(id, (r) => rejected(r, { param: null, ...pick(message.error) }, time()));
    } finally {
      preparing.delete(id);
      hub.tell(id);
    }
  };
  const hub = eventHub(jobs, options.forgetful);
  const context: JobsContext = { options, jobs, files, hub, time, leaseSeconds, heartbeatSeconds, prepare };
  const watch = async (): Promise<void> => {
    await jobs.watch();
    // A server that died while it checked a job has left it so.
    for await (const { id, status } of jobs.list()) if (status === "validating_files") await prepare(id);
  };
  return {
    routes: [...fileRoutes(context), ...fineTuningRoutes(context), ...runnerRoutes(context)],
    store,
    jobs,
    files,
    watch,
    start: () => {
      let running = false;
      const timer = setInterval(() => {
        if (running) return;
        running = true;
        void watch().catch(() => {}).finally(() => (running = false));
      }, 1000 * heartbeatSeconds);
      void watch().catch(() => {});
      return () => clearInterval(timer);
    },
  };
}

function pick({ code, message }: { code: string; message: string }): { code: string; message: string } {
  return { code, message };
}
