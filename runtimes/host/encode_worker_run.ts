/** The encoding thread's side of the messages. */
import process from "node:process";
import { parentPort } from "node:worker_threads";
import { openThreadEncoder } from "../../core/run/rows/thread_encoder.ts";
import { loaderOf } from "../../core/spec/loader.ts";
import { imports } from "../../plugins/imports.ts";
import { answerEncoder, type ToEncoder } from "./encoder_port.ts";
import { createFilesHost } from "./host.ts";
import { loadPackages } from "./plugin_packages.ts";

/** Handles a message from the other side. */
export const receive: (message: ToEncoder) => Promise<void> = answerEncoder(async (job) => {
  const packages = await loadPackages([...new Set(job.plugins)], process.cwd());
  return await openThreadEncoder(job, createFilesHost(), loaderOf(imports), packages);
}, (message, transfer) => parentPort?.postMessage(message, transfer));
