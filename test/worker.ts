/** The Worker of the endpoints in workerd, with models in R2, for tests and benches. */
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
  /** The most memory that workerd has had so far, in bytes; undefined if the machine does not tell. */
  peakBytes(): number | undefined;
  /** The processor time that it has taken so far, in milliseconds. */
  processorMs(): number | undefined;
  /** The memory that it has now. */
  residentBytes(): number | undefined;
  dispose(): Promise<void>;
}>;

const root = new URL("../", import.meta.url);
const place = (path: string): string => fileURLToPath(new URL(path, root));

/** The two Workers there are. */
export type WorkerEntry = "worker" | "light";

/** A Worker's script as it is uploaded. */
export async function workerScript(entry: WorkerEntry): Promise<Uint8Array<ArrayBuffer>> {
  const { outputFiles: [bundle] } = await build({
    entryPoints: [place(`runtimes/cloudflare/${entry}.ts`)],
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
  return new Uint8Array(bundle?.contents ?? []);
}

/** ONNX Runtime as the larger Worker has it. */
export function workerRuntime(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(place("node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm")));
}

/** Starts one; its key is "key". `contents`: another script in its place. */
export async function edgeWorker(
  entry: WorkerEntry = "worker",
  contents?: Uint8Array<ArrayBuffer>,
): Promise<EdgeWorker> {
  const script = contents ?? await workerScript(entry);
  const before = new Set(workerds());
  const miniflare = new Miniflare({
    modules: [
      { type: "ESModule", path: "worker.js", contents: script },
      ...entry === "worker" ? [{ type: "CompiledWasm" as const, path: "ort.wasm", contents: workerRuntime() }] : [],
    ],
    compatibilityDate: "2026-04-01",
    r2Buckets: ["MODELS"],
    assets: {
      directory: place("plugins/models/base"),
      binding: "ASSETS",
      routerConfig: { has_user_worker: true, invoke_user_worker_ahead_of_assets: true },
    },
    bindings: { ATTUNE_API_KEY: "key" },
  });
  const url = String(await miniflare.ready).replace(/\/$/, "");
  const pids = workerds().filter((pid) => !before.has(pid));
  const portIn = (pattern: RegExp): number | undefined => {
    const [kilobytes] = pids.map((pid) => Number(field(`/proc/${pid}/status`, pattern)));
    return kilobytes === undefined ? undefined : 1024 * kilobytes;
  };
  const bucket = await miniflare.getR2Bucket("MODELS");
  return {
    url,
    post: async (path, body) => {
      const headers = { authorization: "Bearer key", "content-type": "application/json" };
      const answer = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
      return { status: answer.status, json: await answer.json() as never };
    },
    put: async (key, bytes) => void await bucket.put(key, new Uint8Array(bytes).buffer),
    peakBytes: () => portIn(/VmHWM:\s+(\d+)/),
    processorMs: () => {
      // Both times are counted in hundredths of a second.
      const [ticks] = pids.map((pid) =>
        /\) \w(?: \S+){10} (\d+) (\d+)/.exec(field(`/proc/${pid}/stat`, /(.*)/s) ?? "")
      );
      return ticks ? 10 * (Number(ticks[1]) + Number(ticks[2])) : undefined;
    },
    residentBytes: () => portIn(/VmRSS:\s+(\d+)/),
    dispose: () => miniflare.dispose(),
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
