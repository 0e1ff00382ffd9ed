/**
 * A thread that encodes rows, from the side that asks it.
 * @module
 */
import process from "node:process";
import type { EncoderJob, EncoderThread, PackedSamples, Row } from "../../core/types.ts";

/** To the thread: what it encodes with, then rows with their numbers. */
export type ToEncoder =
  | Readonly<{ type: "open"; job: EncoderJob }>
  | Readonly<{ type: "encode"; id: number; rows: readonly Row[]; numbers: readonly number[] }>;

/** From the thread. `samples` absent: it failed, at whatever. */
export type FromEncoder =
  | Readonly<{ type: "opened"; tokenizer: string }>
  | Readonly<{ type: "failed" }>
  | Readonly<{ type: "encoded"; id: number; samples?: readonly PackedSamples[] }>;

/** Starts a thread with the parts of a job. Throws where it cannot have them. */
export async function startEncoderThread(job: EncoderJob): Promise<EncoderThread> {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const { Worker } = await import("node:worker_threads");
  const worker = new Worker(new URL(`./encode_worker.${extension}`, import.meta.url), {
    env: process.env,
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  });
  const waiting = new Map<number, (samples: readonly PackedSamples[] | undefined) => void>();
  let asked = 0;
  let hasEnded = false;
  let opened: (tokenizer: string | undefined) => void = () => {};
  const answer = (id: number, samples?: readonly PackedSamples[]): void => {
    waiting.get(id)?.(samples);
    waiting.delete(id);
    // A process that has nothing else to do does not wait for a thread that nobody asks.
    if (waiting.size === 0) worker.unref();
  };
  const end = (): void => {
    hasEnded = true;
    opened(undefined);
    for (const id of [...waiting.keys()]) answer(id);
  };
  worker.on("error", end);
  worker.on("exit", end);
  worker.on("message", (message: FromEncoder) => {
    if (message.type === "encoded") answer(message.id, message.samples);
    else opened(message.type === "opened" ? message.tokenizer : undefined);
  });
  const close = async (): Promise<void> => {
    end();
    await worker.terminate();
  };
  const tokenizer = await new Promise<string | undefined>((resolve) => {
    opened = resolve;
    worker.postMessage({ type: "open", job } satisfies ToEncoder);
  }).catch(async (error) => {
    await close();
    throw error;
  });
  worker.unref();
  if (tokenizer === undefined) {
    await close();
    throw new Error("The thread that encodes rows cannot have what the run encodes with");
  }
  return {
    tokenizer,
    close,
    encode: async (rows, numbers) => {
      if (hasEnded) return undefined;
      const id = ++asked;
      worker.postMessage({ type: "encode", id, rows, numbers } satisfies ToEncoder);
      worker.ref();
      return await new Promise((resolve) => waiting.set(id, resolve));
    },
  };
}
