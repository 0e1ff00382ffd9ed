/**
 * Files, jobs and runners as a Cloudflare Worker. Bindings: `DB` (D1), `BUCKET` (R2), the texts `ATTUNE_API_KEY` and
 * `ATTUNE_RUNNER_TOKEN`; models are in the store below `models/<name>/`. A cron trigger every minute keeps jobs going.
 * It requires the flag `nodejs_compat`, because the catalog has stores that use TCP elsewhere.
 */
import { storeQueue } from "../../core/jobs/store_queue.ts";
import type { Store } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { storeWithin } from "../../core/files/within.ts";
import { type Bucket, cloudflareStore, type Database } from "./cloudflare_store.ts";
import { createApp } from "../serve/app.ts";
import { keysOf, tokenBuckets } from "../http/auth.ts";
import { jobPlanner } from "../jobs/job_planner.ts";
import { type JobsApp, jobsApp } from "../jobs/jobs_app.ts";
import type { ModelRegistry } from "../http/model_registry.ts";

/** The bindings. */
export type Bindings = Readonly<{
  DB: Database;
  BUCKET: Bucket;
  ATTUNE_API_KEY: string;
  ATTUNE_RUNNER_TOKEN: string;
  ATTUNE_LEASE_SECONDS?: string;
}>;

/** Lets work continue after a response. */
export type Lasting = Readonly<
  { waitUntil(work: Promise<unknown>): void; passThroughOnException(): void; props: unknown }
>;

/** The memory limit of an isolate, in bytes. */
const MEMORY = 128 * 2 ** 20;

function jobsOf(env: Bindings): Readonly<{ jobs: JobsApp; models: ModelRegistry }> {
  const store = cloudflareStore({ database: env.DB, bucket: env.BUCKET });
  const now = (): number => Date.now();
  const models: ModelRegistry = {
    names: () => modelNames(store),
    open: async (name) =>
      (await modelNames(store)).includes(name) ? { id: name, files: storeWithin(store, `models/${name}/`) } : undefined,
  };
  // One app for each request, because requests cannot wait for each other's work.
  const jobs = jobsApp({
    store,
    queue: storeQueue(store, now),
    models,
    planner: jobPlanner(catalog, {
      runtime: "workerd",
      provider: "wasm",
      clock: { now, sleep: (ms) => new Promise((done) => setTimeout(done, ms)) },
      memoryBytes: MEMORY,
    }),
    // Isolates come and go, so what is known of leases is kept in the store.
    now,
    forgetful: true,
    leaseSeconds: Number(env.ATTUNE_LEASE_SECONDS ?? 90),
    heartbeatSeconds: Number(env.ATTUNE_LEASE_SECONDS ?? 90) / 4,
  });
  return { jobs, models };
}

/** Shared by the isolate, because each request has its own app. */
const limiter = tokenBuckets(() => Date.now());

function appOf(env: Bindings): ReturnType<typeof createApp> {
  if (!env.ATTUNE_API_KEY || !env.ATTUNE_RUNNER_TOKEN) {
    throw new Error("ATTUNE_API_KEY or ATTUNE_RUNNER_TOKEN is not set");
  }
  const keys = keysOf({ api: env.ATTUNE_API_KEY, runner: env.ATTUNE_RUNNER_TOKEN });
  return createApp({ catalog, keys, limiter, ...jobsOf(env) });
}

async function modelNames(store: Store): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list("models/")) {
    const name = /^models\/(.+)\/config\.json$/.exec(key)?.[1];
    if (name !== undefined) keys.push(name);
  }
  return keys;
}

/** The handlers. */
const worker: Readonly<{
  fetch(request: Request, env: Bindings, context: Lasting): Response | Promise<Response>;
  scheduled(event: unknown, env: Bindings): Promise<void>;
}> = {
  fetch: (request, env, context) => appOf(env).fetch(request, env, context),
  scheduled: async (_event, env) => await jobsOf(env).jobs.watch(),
};
export default worker;
