/**
 * The side of the thread that encodes rows.
 * @module
 */
import process from "node:process";
import { parentPort } from "node:worker_threads";
import { openThreadEncoder, type ThreadEncoder } from "../../core/run/rows/thread_encoder.ts";
import { loaderOf } from "../../core/spec/loader.ts";
import type { EncoderJob } from "../../core/types.ts";
import { imports } from "../../plugins/imports.ts";
import type { FromEncoder, ToEncoder } from "./encoder_thread.ts";
import { createFilesHost } from "./host.ts";
import { loadPackages } from "./plugin_packages.ts";

const say = (message: FromEncoder, transfer: readonly ArrayBuffer[] = []): void =>
  parentPort?.postMessage(message, [...transfer]);

let encoder: Promise<ThreadEncoder> | undefined;

async function opened(job: EncoderJob): Promise<ThreadEncoder> {
  const packages = await loadPackages([...new Set(job.plugins)], process.cwd());
  return await openThreadEncoder(job, createFilesHost(), loaderOf(imports), packages);
}

/** Takes what the other side says. */
export async function receive(message: ToEncoder): Promise<void> {
  try {
    if (message.type === "open") {
      encoder = opened(message.job);
      return say({ type: "opened", tokenizer: (await encoder).tokenizer });
    }
    const { id, rows, numbers } = message;
    const samples = (await encoder)?.encode(rows, numbers);
    say({ type: "encoded", id, ...(samples ? { samples } : {}) }, samples?.map(({ buffer }) => buffer));
  } catch {
    // What is wrong is said where it is done again.
    say(message.type === "open" ? { type: "failed" } : { type: "encoded", id: message.id });
  }
}
