/** A thread of this process that encodes rows. */
import process from "node:process";
import type { EncoderJob, EncoderThread } from "../../core/types.ts";
import { askEncoder, type EncoderPort } from "./encoder_port.ts";

/** Starts a thread with the parts of a job. Throws Error if the thread cannot open them. */
export async function startEncoderThread(job: EncoderJob): Promise<EncoderThread> {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const { Worker } = await import("node:worker_threads");
  const worker = new Worker(new URL(`./encode_worker.${extension}`, import.meta.url), {
    env: process.env,
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  });
  const port: EncoderPort = {
    post: (message) => worker.postMessage(message),
    listen: (heard, ended) => {
      worker.on("message", heard);
      worker.on("error", ended);
      worker.on("exit", ended);
    },
    terminate: () => worker.terminate(),
    keepAlive: (isAsked) => (isAsked ? worker.ref() : worker.unref()),
  };
  return await askEncoder(port, job);
}
