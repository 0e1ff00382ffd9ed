/** The host of Node, Bun and Deno, over node:fs, worker threads and onnxruntime-node. */
import { realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, totalmem } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Worker } from "node:worker_threads";
import { notInstalled } from "../../core/base/not_installed.ts";
import type { Channel, Host, Ort, SavedModel } from "../../core/types.ts";
import { collectGarbage } from "./collect_garbage.ts";
import { directoryStore } from "./directory_store.ts";
import { hubCache } from "./hub_cache.ts";
import { disableTelemetry } from "./telemetry.ts";
import { userCache } from "./user_cache.ts";
import { namesIn } from "./folder_names.ts";

/** Options of a host. */
export type HostOptions = Readonly<{
  /** An onnxruntime module; absent: onnxruntime-node is imported. */
  lib?: Ort;
  /** The execution provider. Default: "cpu". */
  provider?: Host["provider"];
  /** Number of threads to compute with. Default: as many as the machine has. */
  threads?: number;
}>;

/**
 * Creates a host for one of the three runtimes. If onnxruntime-node is not installed and no `lib` is given, what needs
 * a model throws AttuneError (`NOT_INSTALLED`); the rest works.
 */
export async function createHost(runtime: "node" | "bun" | "deno", options: HostOptions = {}): Promise<Host> {
  await disableTelemetry();
  const load = async (): Promise<Ort> => await import("onnxruntime-node").catch(noRuntime) as unknown as Ort;
  let lib = options.lib;
  let absent: unknown;
  if (!lib) await load().then((loaded) => (lib = loaded), (error) => (absent = error));
  const host: Host = {
    ...filesHost(runtime),
    provider: options.provider ?? "cpu",
    get lib() {
      if (!lib) throw absent;
      return lib;
    },
    openSaved: async (folder) => await openSavedModel(folder, host),
    threads: options.threads ?? availableParallelism(),
    collectGarbage,
    startEncoder: async (job) => await (await import("./encoder_thread.ts")).startEncoderThread(job),
  };
  return host;
}

/** Creates a host of this process's runtime that only reads and writes files. */
export function createFilesHost(): Host {
  return filesHost(thisRuntime());
}

function filesHost(runtime: "node" | "bun" | "deno"): Host {
  return {
    runtime,
    provider: "cpu",
    env: process.env,
    fetch: (input, init) => fetch(input, init),
    clock,
    directory: (path) => directoryStore(resolve(path)),
    resolve: (path, base) => (isAbsolute(path) ? path : resolve(base ?? process.cwd(), path)),
    names: namesIn,
    realPath,
    packageDirectory,
    base: directoryStore(fileURLToPath(new URL("../../plugins/models/base", import.meta.url))),
    hubCache: hubCache(process.env),
    ...cacheOf(userCache(process.env, process.platform)),
    terminal: terminal(),
    memoryBytes: totalmem(),
  };
}

/** Opens a finished run as a model that answers rows. */
async function openSavedModel(folder: string, host: Host): Promise<SavedModel> {
  // The code for serving is only loaded if it is needed.
  const { openSaved } = await import("../serve/saved.ts");
  const saved = await openSaved(folder, host);
  const { collator, tokenizer, run } = saved.open;
  const { mask } = tokenizer.specialTokenIds;
  return {
    task: run.task.name,
    columns: collator.columns?.texts ?? [],
    maskToken: mask === undefined ? undefined : tokenizer.decode([mask]),
    predict: async (rows) => await saved.predict(rows),
    close: async () => await saved.close(),
  };
}

const cacheOf = (cache: Host["cache"]): Pick<Host, "cache"> => (cache ? { cache } : {});

/** The version of onnxruntime-node that Attune is tested with. */
export const RUNTIME_VERSION = "1.30.0";

// Its install script downloads NVIDIA GPU libraries from NuGet, and fails without access to that.
const noRuntime = notInstalled({
  plugin: "host",
  name: "onnxruntime-node",
  purpose: "Training or running a model",
  install: `npm install --ignore-scripts onnxruntime-node@${RUNTIME_VERSION}`,
});

/** The time of this process. */
export const clock: Host["clock"] = { now: () => performance.now(), sleep };

/** Returns the terminal for messages to people: standard error. */
export function terminal(): NonNullable<Host["terminal"]> {
  return {
    write: (text) => process.stderr.write(text),
    isTerminal: process.stderr.isTTY === true,
    columns: process.stderr.columns ?? 80,
  };
}

/** Returns the runtime of this process. */
export function thisRuntime(): "node" | "bun" | "deno" {
  return "Bun" in globalThis ? "bun" : "Deno" in globalThis ? "deno" : "node";
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** Returns the folder of an installed package, or undefined. */
export function packageDirectory(name: string): string | undefined {
  try {
    return dirname(createRequire(import.meta.url).resolve(join(name, "package.json")));
  } catch {
    return undefined;
  }
}

/** Returns a two-way channel to a worker; `end` ends the worker. */
export function workerChannel(worker: Worker, end: () => Promise<void>): Channel {
  const queue: unknown[] = [];
  let wake: (() => void) | undefined;
  let closed = false;
  let failure: unknown;
  const push = (message: unknown): void => {
    queue.push(message);
    wake?.();
  };
  worker.on("message", push);
  worker.on("error", (error) => {
    failure = error;
    closed = true;
    wake?.();
  });
  worker.on("exit", () => {
    closed = true;
    wake?.();
  });
  return {
    send: (message, transfer) => worker.postMessage(message, [...(transfer ?? [])]),
    receive: async function* () {
      while (true) {
        while (queue.length > 0) yield queue.shift();
        if (failure !== undefined) throw failure;
        if (closed) return;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    close: () => {
      closed = true;
      void end();
      wake?.();
    },
  };
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      fail(signal.reason);
    }, { once: true });
  });
}
