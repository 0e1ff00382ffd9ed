/** A Worker with its bindings in workerd, for tests. */
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { fileURLToPath } from "node:url";
import type { Store } from "../core/types.ts";
import { type Bucket, cloudflareStore, type Database } from "../runtimes/cloudflare/cloudflare_store.ts";

/** A Worker of jobs; `fresh` empties its store and gives it. */
export type Flare = Readonly<{ url: string; fresh(): Promise<Store>; dispose(): Promise<void> }>;

/** Starts one. Miniflare is a program for Node; what it runs is workerd. */
export async function flare(): Promise<Flare> {
  const { outputFiles: [bundle] } = await build({
    entryPoints: [fileURLToPath(new URL("../runtimes/cloudflare/jobs_worker.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    conditions: ["workerd", "worker", "browser"],
    external: ["node:*", "cloudflare:*"],
  });
  const miniflare = new Miniflare({
    modules: [{ type: "ESModule", path: "worker.js", contents: bundle?.text ?? "" }],
    compatibilityDate: "2026-04-01",
    compatibilityFlags: ["nodejs_compat"],
    d1Databases: ["DB"],
    r2Buckets: ["BUCKET"],
    bindings: { ATTUNE_API_KEY: "key", ATTUNE_RUNNER_TOKEN: "runner-token", ATTUNE_LEASE_SECONDS: "30" },
  });
  const url = String(await miniflare.ready).replace(/\/$/, "");
  const bucket = await miniflare.getR2Bucket("BUCKET") as unknown as Bucket;
  const database = await miniflare.getD1Database("DB") as unknown as Database;
  const fresh = async (): Promise<Store> => {
    await database.prepare("DROP TABLE IF EXISTS attune").run();
    return cloudflareStore({ database, bucket });
  };
  return { url, fresh, dispose: () => miniflare.dispose() };
}
