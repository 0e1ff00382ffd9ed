/**
 * Training in a worker thread, so that the caller's event loop stays free.
 * @module
 */
import process from "node:process";
import type { Worker } from "node:worker_threads";
import { AttuneError, type ErrorDetails } from "../../core/errors.ts";
import type { Json, Named, TrainingEvent } from "../../core/types.ts";
import { claimFolder } from "./claim.ts";
import { createHost, thisRuntime, workerChannel } from "./host.ts";
import { disableTelemetry } from "./telemetry.ts";

/** A message to the training worker. */
export type WorkerTask = Readonly<
  {
    spec: Json;
    output: string | undefined;
    resume: boolean;
    probe: boolean;
    threads: number | undefined;
    displayNames: Named<string>;
    plugins: readonly string[];
  }
>;

/** A message from the training worker. */
export type WorkerMessage =
  | Readonly<{ type: "event"; event: TrainingEvent }>
  | Readonly<{ type: "done" }>
  | Readonly<{ type: "error"; message: string; stack: string | undefined; details?: ErrorDetails }>;

/** How a run is trained in a worker. */
export type TrainInWorkerOptions = Readonly<
  {
    output?: string;
    resume?: boolean;
    probe?: boolean;
    signal?: AbortSignal;
    threads?: number;
    /** Names to write in place of paths. */
    displayNames?: Named<string>;
    /** Packages whose plugins the spec may use besides those that it names itself. */
    plugins?: readonly string[];
  }
>;

/**
 * Trains a run spec (JSON) in a worker; events come as they happen.
 *
 * @throws AttuneError as `trainRun` does.
 */
export async function* trainInWorker(spec: Json, options: TrainInWorkerOptions = {}): AsyncIterable<TrainingEvent> {
  const { output, resume = false, probe = false, signal, threads, displayNames = {}, plugins = [] } = options;
  // By this thread, which nothing blocks: whatever happens to the worker, the claim is renewed and let go.
  const release = output === undefined ? undefined : await claimFolder(output);
  try {
    yield* trainedIn(await startWorker(), { spec, output, resume, probe, threads, displayNames, plugins }, signal);
  } finally {
    await release?.();
  }
}

async function startWorker(): Promise<Worker> {
  // The worker's file has its own module's extension: .ts in a checkout, .js where it is published.
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const { Worker } = await import("node:worker_threads");
  await disableTelemetry();
  return new Worker(new URL(`./train_worker.${extension}`, import.meta.url), {
    env: process.env,
    // Rows and steps leave little behind: a small nursery is enough, and saves tens of megabytes.
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  });
}

async function* trainedIn(
  worker: Worker,
  task: WorkerTask,
  signal: AbortSignal | undefined,
): AsyncIterable<TrainingEvent> {
  const channel = workerChannel(worker);
  channel.send({ type: "run", task });
  const abort = (): void => channel.send({ type: "abort" });
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    for await (const message of channel.receive() as AsyncIterable<WorkerMessage>) {
      if (message.type === "event") yield message.event;
      else if (message.type === "done") return;
      else throw revived(message);
    }
    throw new Error("The training thread ended before the run did");
  } finally {
    signal?.removeEventListener("abort", abort);
    channel.close();
    await worker.terminate();
  }
}

function revived({ message, stack, details }: Extract<WorkerMessage, { type: "error" }>): Error {
  const error = details ? new AttuneError(message, details) : new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** A host of this process's runtime. */
export function hostHere(threads?: number): ReturnType<typeof createHost> {
  return createHost(thisRuntime(), threads === undefined ? {} : { threads });
}
