/**
 * A runner: takes jobs from a server, one at a time, for as long as it lives.
 * @module
 */
import { availableParallelism, hostname, totalmem } from "node:os";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { runnerClient } from "./client.ts";
import { runJob } from "./job.ts";

/** How a runner runs. */
export type RunnerOptions = Readonly<{
  server: string;
  token: string;
  work: string;
  name?: string;
  models?: string;
  plugins?: readonly string[];
  memoryBytes?: number;
  threads?: number;
  /** Ends after this many jobs. */
  jobs?: number;
  signal: AbortSignal;
  tell?: (text: string) => void;
}>;

/** Takes jobs until the signal is aborted or `jobs` are done. */
export async function runRunner(options: RunnerOptions): Promise<void> {
  const { server, token, work, signal, plugins, models, jobs = Infinity } = options;
  const threads = options.threads ?? availableParallelism();
  const name = options.name ?? `${hostname().replace(/[^\w.-]/g, "-").slice(0, 60)}-${process.pid}`;
  const tell = options.tell ?? (() => {});
  const capabilities = {
    providers: ["cpu"],
    memoryBytes: options.memoryBytes ?? totalmem(),
    ...(plugins ? { plugins } : {}),
  };
  const client = runnerClient({ server, token, name, capabilities });
  const allowed = plugins ? new Set(plugins) : undefined;
  tell(`runner ${name} waits for jobs of ${server}`);
  for (let done = 0; done < jobs && !signal.aborted;) {
    try {
      const lease = await client.lease(20, signal);
      if (!lease) continue;
      tell(`${lease.id}: taken${lease.checkpoint ? `, from step ${lease.checkpoint.step}` : ""}`);
      await runJob(lease, { client, work, models, plugins: allowed, threads, signal, tell });
      done++;
    } catch (error) {
      if (signal.aborted) return;
      tell(String(error));
      await sleep(1000, undefined, { signal }).catch(() => {});
    }
  }
}
