/**
 * Training in a worker thread, so that the caller's event loop stays free.
 * @module
 */
import process from "node:process";
import type { Worker } from "node:worker_threads";
import { AttuneError, type ErrorDetails } from "../../core/base/errors.ts";
import type { Channel, Json, Named, SplitName, TrainingEvent } from "../../core/types.ts";
import { claimFolder } from "./claim.ts";
import { endWorker, type NativeGate, nativeGate } from "./native_gate.ts";
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
    /** Splits of the data that are not used. */
    without: readonly SplitName[];
  }
>;

/** A message from the training worker. */
export type WorkerMessage =
  | Readonly<{ type: "event"; event: TrainingEvent }>
  | Readonly<{ type: "done" }>
  | Readonly<{ type: "error"; message: string; stack: string | undefined; details?: ErrorDetails }>;

/** Options of training in a worker. */
export type TrainInWorkerOptions = Readonly<
  {
    output?: string;
    resume?: boolean;
    probe?: boolean;
    signal?: AbortSignal;
    threads?: number;
    /** Names that replace paths in output files. */
    displayNames?: Named<string>;
    /** Packages whose plugins the spec may use in addition to its own. */
    plugins?: readonly string[];
    /** Splits of the data that the run does not use, whatever its spec says. */
    without?: readonly SplitName[];
  }
>;

/** A thread that trains one run after the other, and keeps what they share: the base model and the rows. */
export interface TrainingWorker {
  /** Trains a spec, and yields events as they happen. Throws AttuneError as `trainRun` does. */
  train(spec: Json, options?: TrainInWorkerOptions): AsyncIterable<TrainingEvent>;
  close(): Promise<void>;
}

/**
 * Trains a run spec (JSON) in a worker, and yields events as they happen.
 *
 * @throws AttuneError as `trainRun` does.
 */
export async function* trainInWorker(spec: Json, options: TrainInWorkerOptions = {}): AsyncIterable<TrainingEvent> {
  const worker = await openTrainingWorker();
  try {
    yield* worker.train(spec, options);
  } finally {
    await worker.close();
  }
}

/** Starts a thread for several runs. */
export async function openTrainingWorker(): Promise<TrainingWorker> {
  const gate = nativeGate();
  const worker = await startWorker(gate);
  const end = (): Promise<void> => endWorker(worker, gate);
  const channel = workerChannel(worker, end);
  return {
    train: (spec, options = {}) => claimedRun(channel, spec, options),
    close: async () => {
      channel.close();
      await end();
    },
  };
}

async function* claimedRun(channel: Channel, spec: Json, options: TrainInWorkerOptions): AsyncIterable<TrainingEvent> {
  const { output, resume = false, probe = false, signal, threads, displayNames = {}, plugins = [], without = [] } =
    options;
  // Claimed by this thread, which nothing blocks, so the claim is renewed and released whatever happens to the worker.
  const release = output === undefined ? undefined : await claimFolder(output);
  try {
    const task = { spec, output, resume, probe, threads, displayNames, plugins, without };
    yield* trainedIn(channel, task, signal);
  } finally {
    await release?.();
  }
}

async function startWorker(gate: NativeGate): Promise<Worker> {
  // The worker's file has the same extension as this module: .ts in a checkout, .js where it is published.
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const { Worker } = await import("node:worker_threads");
  await disableTelemetry();
  return new Worker(new URL(`./train_worker.${extension}`, import.meta.url), {
    env: process.env,
    workerData: gate,
    // Rows and steps leave little garbage: a small young generation is enough, and saves tens of megabytes.
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  });
}

async function* trainedIn(
  channel: Channel,
  task: WorkerTask,
  signal: AbortSignal | undefined,
): AsyncIterable<TrainingEvent> {
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
  }
}

function revived({ message, stack, details }: Extract<WorkerMessage, { type: "error" }>): Error {
  const error = details ? new AttuneError(message, details) : new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** Creates a host of this process's runtime. */
export function hostHere(threads?: number): ReturnType<typeof createHost> {
  return createHost(thisRuntime(), threads === undefined ? {} : { threads });
}
