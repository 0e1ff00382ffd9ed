/** An app of all endpoints over models in memory, and what tests ask it with. */
import { catalog } from "../plugins/catalog.ts";
import { createApp, type EdgeOptions, type Key } from "../runtimes/serve/app.ts";
import { type Scope, scopes } from "../runtimes/http/route.ts";
import type { Named, Store } from "../core/types.ts";
import { storeQueue } from "../core/jobs/store_queue.ts";
import { memory } from "../plugins/stores/memory.ts";
import { jobPlanner } from "../runtimes/jobs/job_planner.ts";
import { type JobsApp, jobsApp } from "../runtimes/jobs/jobs_app.ts";
import { hostHere } from "../runtimes/host/train.ts";
import { heldStore, tinyFiles } from "./tiny.ts";

/** An app, and how it is asked. */
export type EdgeRig = Readonly<{
  app: ReturnType<typeof createApp>;
  /** A JSON request with the key of tenant "a"; the answer's JSON beside its status. */
  post<T>(path: string, body: unknown, key?: string): Promise<Readonly<{ status: number; json: T }>>;
  get(path: string, key?: string): Promise<Response>;
}>;

const people: readonly Scope[] = scopes.filter((scope) => scope !== "runners");

/** Two tenants, a runner, a key that is over and one that is for little. */
export const testKeys: readonly Key[] = [
  { key: "key-a", tenant: "a", scopes: people },
  { key: "key-b", tenant: "b", scopes: people },
  { key: "runner-token", tenant: "runners", scopes: ["runners"] },
  { key: "old", tenant: "a", scopes: people, expires: 1 },
  { key: "little", tenant: "a", scopes: ["models"] },
];

/** A host to open plugins with. */
export const testHost = (): ReturnType<typeof hostHere> => hostHere(1);

/** Jobs in memory; models are those of {@link edgeRig}. */
export async function testJobs(): Promise<JobsApp> {
  const host = await hostHere(1);
  const store = await memory().open(host);
  const files = heldStore(tinyFiles());
  return jobsApp({
    store,
    queue: storeQueue(store, () => performance.now()),
    planner: jobPlanner(catalog, host),
    models: {
      names: async () => ["tiny"],
      open: async (name) => (name === "tiny" ? { id: name, files } : undefined),
    },
  });
}

/** Makes one. `stores`: models by name, those of a tenant as `tenant/name`; "tiny" is there for everybody. */
export function edgeRig(options: Partial<EdgeOptions> & Readonly<{ stores?: Named<Store> }> = {}): EdgeRig {
  const { stores: given = {}, ...rest } = options;
  const stores: Named<Store> = { tiny: heldStore(tinyFiles()), ...given };
  const app = createApp({
    catalog,
    keys: testKeys,
    models: {
      names: async (tenant) =>
        Object.keys(stores).flatMap((name) => {
          const [owner, model] = name.split("/");
          return model === undefined ? [name] : owner === tenant ? [model] : [];
        }),
      open: async (name, tenant) => {
        const id = stores[`${tenant}/${name}`] ? `${tenant}/${name}` : name.includes("/") ? "" : name;
        const files = Object.hasOwn(stores, id) ? stores[id] : undefined;
        return files && { id, files };
      },
    },
    ...rest,
  });
  return {
    app,
    post: async (path, body, key = "key-a") => {
      const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
      const answer = await app.request(path, { method: "POST", headers, body: JSON.stringify(body) });
      return { status: answer.status, json: await answer.json() };
    },
    get: async (path, key = "key-a") => await app.request(path, { headers: { authorization: `Bearer ${key}` } }),
  };
}
