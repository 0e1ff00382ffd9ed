/**
 * The Worker of the endpoints in workerd, with models in R2, for tests and benches.
 * @module
 */
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import process from "node:process";
import type { Named } from "../core/types.ts";

/** A running Worker. */
export type EdgeWorker = Readonly<{
  url: string;
  post<T>(path: string, body: unknown): Promise<Readonly<{ status: number; json: T }>>;
  /** Puts a file below `models/` of its bucket. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** The most memory that workerd has had so far, in bytes; undefined where the machine does not tell. */
  peakBytes(): number | undefined;
  /** The memory that it has now. */
  residentBytes(): number | undefined;
  dispose(): Promise<void>;
}>;

const root = new URL("../", import.meta.url);
const place = (path: string): string => fileURLToPath(new URL(path, root));

/** Starts one; its key is "key". */
export async function edgeWorker(): Promise<EdgeWorker> {
  const { outputFiles: [bundle] } = await build({
    entryPoints: [place("runtimes/workers/worker.ts")],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    minify: true,
    conditions: ["workerd", "worker", "browser"],
    external: ["@nats-io/*"],
    plugins: [{
      name: "compiled",
      setup: (own) => own.onResolve({ filter: /\.wasm$/ }, () => ({ path: "./ort.wasm", external: true })),
    }],
  });
  const before = new Set(workerds());
  const own = new Miniflare({
    modules: [
      { type: "ESModule", path: "worker.js", contents: bundle?.text ?? "" },
      {
        type: "CompiledWasm",
        path: "ort.wasm",
        contents: new Uint8Array(readFileSync(place("node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm"))),
      },
    ],
    compatibilityDate: "2026-04-01",
    r2Buckets: ["MODELS"],
    assets: {
      directory: place("plugins/sources/base"),
      binding: "ASSETS",
      routerConfig: { has_user_worker: true, invoke_user_worker_ahead_of_assets: true },
    },
    bindings: { ATTUNE_API_KEY: "key" },
  });
  const url = String(await own.ready).replace(/\/$/, "");
  const pids = workerds().filter((pid) => !before.has(pid));
  const told = (pattern: RegExp): number | undefined => {
    const [kilobytes] = pids.map((pid) => Number(field(`/proc/${pid}/status`, pattern)));
    return kilobytes === undefined ? undefined : 1024 * kilobytes;
  };
  const bucket = await own.getR2Bucket("MODELS");
  return {
    url,
    post: async (path, body) => {
      const headers = { authorization: "Bearer key", "content-type": "application/json" };
      const answer = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
      return { status: answer.status, json: await answer.json() as never };
    },
    put: async (key, bytes) => void await bucket.put(key, new Uint8Array(bytes).buffer),
    peakBytes: () => told(/VmHWM:\s+(\d+)/),
    residentBytes: () => told(/VmRSS:\s+(\d+)/),
    dispose: () => own.dispose(),
  };
}

/** The workerd processes that this one has started. */
function workerds(): string[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc").filter((pid) =>
    /^\d+$/.test(pid) && field(`/proc/${pid}/stat`, /^\d+ \(workerd\) \w (\d+)/) === String(process.pid)
  );
}

function field(file: string, pattern: RegExp): string | undefined {
  try {
    return pattern.exec(readFileSync(file, "utf8"))?.[1];
  } catch {
    return undefined; // it has ended
  }
}

/** A folder's files. */
export function filesOf(folder: string): Named<Uint8Array> {
  return Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(`${folder}/${name}`)]));
}
