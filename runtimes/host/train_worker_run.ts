/** The training worker's side of the messages: trains a spec and posts its events. */
import process from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import { AttuneError } from "../../core/base/errors.ts";
import { composeOnDemand } from "../../core/spec/on_demand.ts";
import { trainRun } from "../../core/run/train/train.ts";
import { createWarmParts } from "../../core/run/rows/warm.ts";
import type { Host, RunSpec, Store } from "../../core/types.ts";
import { imports } from "../../plugins/imports.ts";
import { startEncoderThread } from "./encoder_thread.ts";
import { loadPackages, namesIn } from "./plugin_packages.ts";
import { behindGate, type NativeGate } from "./native_gate.ts";
import { hostHere, type WorkerMessage, type WorkerTask } from "./train.ts";

const port = parentPort;
const gate = workerData as NativeGate;
const answer = (message: WorkerMessage): void => port?.postMessage(message);

let abort = new AbortController();
// Runs come one after the other, so what they share stays open.
const shared = createWarmParts();

async function run(task: WorkerTask): Promise<void> {
  try {
    abort = new AbortController();
    const { signal } = abort;
    const local = behindGate(await hostHere(task.threads), gate);
    const host: Host = {
      ...local,
      displayNames: task.displayNames,
      startEncoder: (job) => startEncoderThread({ ...job, plugins: [...job.plugins, ...task.plugins] }),
    };
    const packages = await loadPackages([...new Set([...namesIn(Object(task.spec)), ...task.plugins])], process.cwd());
    const whole = shared(await composeOnDemand(task.spec as unknown as RunSpec, imports, packages));
    const entries = Object.entries(whole.data).filter(([split]) => !task.without.some((name) => name === split));
    const run = { ...whole, data: Object.fromEntries(entries) };
    const output = task.output === undefined ? undefined : host.directory && claimed(host.directory(task.output));
    const { resume, probe } = task;
    for await (const event of trainRun(run, host, { output, resume, probe, signal })) {
      answer({ type: "event", event });
      // Lets an abort message arrive, because the runtime computes on this thread.
      await new Promise((resolve) => setImmediate(resolve));
    }
    answer({ type: "done" });
  } catch (error) {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    if (!(error instanceof AttuneError)) return answer({ type: "error", message, stack });
    const { sentence, code, plugin, path } = error;
    answer({ type: "error", message: sentence, stack, details: { code, plugin, path } });
  }
}

/** Removes `claim` from the store of a folder that the parent thread has already claimed. */
function claimed({ claim: _, ...store }: Store): Store {
  return store;
}

/** Handles a message of the caller. */
export function receive(message: Readonly<{ type: "run"; task: WorkerTask } | { type: "abort" }>): void {
  if (message.type === "abort") abort.abort();
  else void run(message.task).catch((error) => answer({ type: "error", message: String(error), stack: undefined }));
}
