/** A runner: takes jobs from a server, one at a time, until it is stopped. */
import { availableParallelism, hostname, totalmem } from "node:os";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { AttuneError } from "../../core/base/errors.ts";
import { allowOnly, loadCatalog, loaderOf } from "../../core/spec/loader.ts";
import type { Catalog, Json, Named } from "../../core/types.ts";
import { imports } from "../../plugins/imports.ts";
import { loadPackages, packagePath } from "../host/plugin_packages.ts";
import { type Lease, runnerClient } from "./client.ts";
import { runJob } from "./job.ts";

/** Options of a runner. */
export type RunnerOptions = Readonly<{
  server: string;
  token: string;
  work: string;
  name?: string;
  models?: string;
  /** Names of the built-in plugins that jobs may use; absent: all. */
  only?: readonly string[];
  /** Packages whose plugins jobs may use in addition. */
  packages?: readonly string[];
  memoryBytes?: number;
  threads?: number;
  /** Ends after this many jobs. */
  jobs?: number;
  /** Seconds to wait for a server that does not answer. Default: 30 if it never has, 3600 if it has. */
  patienceSeconds?: number;
  signal: AbortSignal;
  report?: (text: string) => void;
}>;

/** Seconds to wait for a server that has never answered, and for one that has. */
const [FIRST_SECONDS, LOST_SECONDS] = [30, 3600];

/**
 * Takes jobs until the signal is aborted or `jobs` are done.
 *
 * @throws AttuneError: `BAD_TOKEN` if the server does not know the token, `UNREACHABLE` if it stays out of reach.
 */
export async function runRunner(options: RunnerOptions): Promise<void> {
  const { server, token, work, signal, models, jobs = Infinity } = options;
  const packages = (options.packages ?? []).map((name) => packagePath(name, process.cwd()));
  const { only } = options;
  const builtIn = only ? allowOnly(loaderOf(imports), new Set(only)) : loaderOf(imports);
  const loaded = await loadPackages(packages, process.cwd());
  const all = await loadCatalog({}, builtIn, loaded);
  const threads = options.threads ?? availableParallelism();
  const name = options.name ?? `${hostname().replace(/[^\w.-]/g, "-").slice(0, 60)}-${process.pid}`;
  const report = options.report ?? (() => {});
  const capabilities = {
    providers: ["cpu"],
    memoryBytes: options.memoryBytes ?? totalmem(),
    plugins: [...new Set(Object.values(all).flatMap((entries) => Object.keys(entries)))],
  };
  const catalogFor = (spec: Named<Json>): Promise<Catalog> => loadCatalog(spec, builtIn, loaded);
  const client = runnerClient({ server, token, name, capabilities });
  report(`runner ${name} is waiting for jobs of ${server}`);
  const next = finder(options, (signal) => client.lease(20, signal));
  for (let done = 0; done < jobs && !signal.aborted;) {
    const lease = await next();
    if (!lease) continue;
    try {
      report(`${lease.id}: taken${lease.checkpoint ? `, from step ${lease.checkpoint.step}` : ""}`);
      await runJob(lease, { client, server, work, models, catalogFor, packages, threads, signal, report });
      done++;
    } catch (error) {
      if (signal.aborted) return;
      report(String(error));
      await sleep(1000, undefined, { signal }).catch(() => {});
    }
  }
}

/** Returns a function that asks for jobs. It reports an unreachable server once, and retries until patience ends. */
function finder(
  { server, signal, report = () => {}, patienceSeconds }: RunnerOptions,
  ask: (signal: AbortSignal) => Promise<Lease | undefined>,
): () => Promise<Lease | undefined> {
  let known = false;
  let lost: Readonly<{ since: number; wait: number }> | undefined;
  return async () => {
    try {
      const lease = await ask(signal);
      if (lost) report(`${server} answers`);
      known = true;
      lost = undefined;
      return lease;
    } catch (error) {
      if (signal.aborted) return undefined;
      const refuses = error instanceof AttuneError;
      if (refuses && (error.code === "BAD_TOKEN" || !known)) throw error;
      const patience = patienceSeconds ?? (known ? LOST_SECONDS : FIRST_SECONDS);
      const why = refuses ? error.sentence : reasonOf(error);
      const { since, wait } = lost ?? { since: performance.now(), wait: 250 };
      if (performance.now() - since > 1000 * patience) {
        throw new AttuneError(`${server} has not answered for ${patience} s: ${why}`, {
          code: "UNREACHABLE",
          plugin: "runner",
          cause: error,
        });
      }
      if (!lost) report(`${server} does not answer (${why}): retrying for ${patience} s`);
      lost = { since, wait: Math.min(2 * wait, 5000) };
      await sleep(wait * (0.5 + Math.random()), undefined, { signal }).catch(() => {});
      return undefined;
    }
  };
}

/** Returns why a request failed, which fetch puts in the error's cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  const cause = error.cause instanceof Error ? reasonOf(error.cause) : undefined;
  return cause ?? [code, error.message].filter((part) => typeof part === "string" && part !== "").join(": ");
}
