/**
 * Files, fine-tuning jobs and runners: their routes, which `createApp` mounts, and what keeps jobs going.
 * @module
 */
import type { Context } from "hono";
import { AttuneError } from "../../core/errors.ts";
import { sealStore } from "../../core/jobs/sealed.ts";
import { contentIn, filesIn, type JobFilesStore } from "../../core/jobs/files.ts";
import { type Jobs, jobsIn } from "../../core/jobs/jobs.ts";
import { type JobRecord, planning, queueJob, rejectJob } from "../../core/jobs/record.ts";
import { referenceKind, referencesOf } from "../../core/jobs/references.ts";
import { storeWithin } from "../../core/within.ts";
import type { Json, Named, Store } from "../../core/types.ts";
import { answerError, httpError } from "../http/responses.ts";
import { eventHub } from "./event_hub.ts";
import type { Prepared } from "./job_planner.ts";
import { fineTunedModel } from "../http/shapes.ts";
import { fileRoutes } from "./files.ts";
import { fineTuningRoutes } from "./fine_tuning.ts";
import type { Route } from "../http/route.ts";
import { runnerRoutes } from "./runners.ts";
import type { ModelFiles } from "../http/model_registry.ts";
import type { JobsAppOptions, JobsContext } from "./jobs_context.ts";
import { limitConcurrency } from "../http/fair_queue.ts";

export type { JobsAppOptions } from "./jobs_context.ts";

/** How often a plan is begun. */
const PLANS = 5;

/** How many are made at once: one that waits for its turn has not begun, and does not count where the process ends. */
const PLANNERS = 2;

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
  made(name: string, tenant: string): Promise<ModelFiles | undefined>;
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
  const kept = sealStore(store, options.tell);
  const jobs = jobsIn({
    store,
    kept,
    queue,
    now,
    time,
    leaseSeconds,
    maxAttempts: options.maxAttempts ?? 5,
    forgetful: options.forgetful,
    onError: options.onError,
  });
  const files = filesIn(store, time, kept);
  const madeBy = async (name: string, tenant: string): Promise<JobRecord | undefined> => {
    const id = /^ft:.+:([\w-]{1,64})$/.exec(name)?.[1];
    const record = id === undefined ? undefined : await jobs.get(`ftjob-${id}`);
    const result = record?.result;
    return record && result && !result.deleted && record.tenant === tenant && fineTunedModel(record) === name
      ? record
      : undefined;
  };
  const made = async (name: string, tenant: string): Promise<ModelFiles | undefined> => {
    const record = await madeBy(name, tenant);
    if (!record?.result) return undefined;
    const { path } = (record.spec.model as Named<Named<Json>> | undefined)?.with ?? {};
    const base = typeof path === "string" ? { base: path } : {};
    return { id: `job/${record.id}`, files: storeWithin(store, record.result.folder), ...base };
  };
  const folder = async (name: string, tenant: string): Promise<Store | undefined> => {
    if (referenceKind(name) === "model") return (await options.models.open(name, tenant))?.files;
    const result = (await madeBy(name, tenant))?.result;
    const own = ["adapter/", "model/"].find((at) => result?.files.some((file) => file.startsWith(at)));
    return result && own !== undefined ? storeWithin(store, result.folder + own) : undefined;
  };
  const isThere = async (name: string, tenant: string): Promise<boolean> =>
    referenceKind(name) === "file"
      ? (await files.get(name))?.tenant === tenant
      : options.models.isRemote?.(name) === true || await folder(name, tenant) !== undefined;
  const checkReferences = async (spec: Named<Json>, tenant: string): Promise<void> => {
    for (const { name, at } of references(spec)) {
      if (await isThere(name, tenant)) continue;
      const param = paramOf(at);
      if (referenceKind(name) === "file") throw httpError(400, "invalid_value", `${param}: no file ${name}`, param);
      const names = (await options.models.names(tenant)).join(", ") || "none";
      throw httpError(400, "model_not_found", `${param}: ${JSON.stringify(name)} is not one of ${names}`, param);
    }
  };
  const placesOf = async ({ spec, tenant }: JobRecord): Promise<Map<string, Store>> => {
    const places = new Map([["", contentIn(store)]]);
    for (const { name } of referencesOf(spec)) {
      const found = referenceKind(name) === "file" ? undefined : await folder(name, tenant);
      if (found) places.set(name, found);
    }
    return places;
  };
  const later = (c: Context, work: Promise<void>): void => {
    const settled = work.catch(report);
    try {
      // Cloudflare wants to be told of it; elsewhere a process lives on.
      c.executionCtx.waitUntil(settled);
    } catch {
      // there is none
    }
  };
  const plan = async (record: JobRecord): Promise<Prepared> =>
    await options.planner.plan(record.spec, await placesOf(record));
  const bytesOf = async ({ spec }: JobRecord): Promise<number> => {
    let bytes = 0;
    for (const { name } of referencesOf(spec)) {
      if (referenceKind(name) !== "file") continue;
      bytes += (await contentIn(store).get(name, { offset: 0, length: 0 }))?.size ?? 0;
    }
    return bytes;
  };
  const preparing = new Set<string>();
  const inTurn = limitConcurrency(PLANNERS);
  const prepare = async (id: string): Promise<void> => {
    if (preparing.has(id)) return;
    preparing.add(id);
    await inTurn(() => prepareNow(id)).finally(() => {
      preparing.delete(id);
      hub.tell(id);
    });
  };
  const prepareNow = async (id: string): Promise<void> => {
    try {
      const record = await jobs.get(id);
      if (record?.status !== "validating_files") return;
      if ((record.plans ?? 0) >= PLANS) {
        const message =
          `The job was planned ${PLANS} times, and each time what planned it ended before the plan was made`;
        await jobs.change(id, (r) => rejectJob(r, { code: "not_planned", message, param: null }, time()));
        return;
      }
      // Counted before it begins: it may end this process.
      await jobs.change(id, planning);
      const { planElsewhere } = options;
      const found = planElsewhere ? await planElsewhere(record, await bytesOf(record)) : await plan(record);
      await jobs.change(id, (r) => queueJob(r, found));
    } catch (error) {
      // What is wrong with the store, or that there is no room now, is not the job's fault: it is looked at again at the
      // next watch.
      if (isStoreError(error) || error instanceof AttuneError && error.code === "BUSY") {
        await jobs.change(id, (r) => planning(r, -1)).catch(() => {});
        return report(error);
      }
      const { error: { code, message, param } } = await answerError(error instanceof Error ? error : new Error())
        .json();
      const refused = jobs.change(id, (r) => {
        const file = (["validation_file", "training_file"] as const).find((p) =>
          message.includes(String(r.request[p]))
        );
        return rejectJob(
          r,
          file ? { code: `invalid_${file}`, message, param: file } : { code, message, param },
          time(),
        );
      });
      // A full disk keeps the refusal from being written: the job is looked at again, and refused then.
      await refused.catch(report);
    }
  };
  const hub = eventHub(jobs, options.forgetful);
  const context: JobsContext = {
    options,
    kept,
    jobs,
    files,
    hub,
    time,
    leaseSeconds,
    heartbeatSeconds,
    checkReferences,
    folder,
    made,
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
    made,
    plan,
    watch,
    damaged: kept.damaged,
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

function isStoreError(error: unknown): boolean {
  return error instanceof AttuneError && (error.code === "STORE" || error.code === "DISK_FULL");
}

/** Every reference of a request's spec. Throws what a route throws where something is none. */
function references(spec: Named<Json>): ReturnType<typeof referencesOf> {
  try {
    return referencesOf(spec);
  } catch (error) {
    if (!(error instanceof AttuneError)) throw error;
    const param = paramOf(error.path);
    throw httpError(400, "invalid_value", error.sentence.replace(error.path, param), param);
  }
}

/** The request's own field for what stands at a place of its spec. */
function paramOf(at: string): string {
  const own: Named<string> = {
    "model.with.path": "model",
    "data.train.with.path": "training_file",
    "data.eval.with.path": "validation_file",
  };
  return own[at] ?? `attune.${at}`;
}
