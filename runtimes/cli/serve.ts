/** `attune serve`: serves every endpoint over HTTP. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { AttuneError } from "../../core/base/errors.ts";
import type { JobRecord } from "../../core/jobs/record.ts";
import { createApp, keysOf } from "../serve/app.ts";
import { checkWritable } from "../host/claim.ts";
import { checkFolder, folderModels } from "../serve/folder_models.ts";
import { openJobs } from "../jobs/jobs_server.ts";
import { isAddress, openJobStore } from "../jobs/job_store.ts";
import { listen } from "../host/listen.ts";
import { catalogFor } from "../host/plugin_packages.ts";
import { hostHere } from "../host/train.ts";
import { planned } from "../work/plan_route.ts";
import { workPool } from "../work/pool.ts";
import { exitCodes } from "./exit.ts";
import { limitsOf, type ServeLimits } from "./limits.ts";
import { edgeLimitsOf, ratesOf, workLimitsOf } from "./serve_limits.ts";

/** Options of `attune serve`. */
export type ServeOptions =
  & Partial<ServeLimits>
  & Readonly<{
    port: number;
    host: string;
    store: string;
    models?: string;
    allowHub?: boolean | readonly string[];
    cors?: readonly string[];
    plugins?: string;
    /** Rates as `class=perSecond/burst`. */
    rate?: readonly string[];
  }>;

/** Serves until it is told to end. */
export async function serveCommand(options: ServeOptions): Promise<number> {
  const { port, host, store, models, allowHub, cors = [], plugins } = options;
  const loopback = ["127.0.0.1", "::1", "localhost"].includes(host);
  const key = (name: string): string => {
    const value = process.env[name];
    if (value) return value;
    if (!loopback) {
      throw new AttuneError(`${name} is not set: a server that others can reach needs its own keys`, {
        code: "USAGE",
        plugin: "serve",
      });
    }
    const key = crypto.randomUUID().replaceAll("-", "");
    process.stderr.write(`${name}=${key}\n`);
    return key;
  };
  if (models !== undefined) checkFolder("serve", models);
  if (!isAddress(store)) await checkWritable(resolve(store));
  // Generated keys are only printed once the server has started.
  const keys = keysOf({
    api: key("ATTUNE_API_KEY"),
    runner: key("ATTUNE_RUNNER_TOKEN"),
    admin: key("ATTUNE_ADMIN_KEY"),
  });
  const machine = await hostHere();
  const catalog = await catalogFor({ plugins: plugins?.split(",") });
  const opened = await openJobStore(store, machine);
  const named = folderModels(models, machine, allowHub);
  const asked = limitsOf(options);
  const limits = edgeLimitsOf(asked, machine.memoryBytes, ratesOf(options.rate ?? []));
  const settings = { store, plugins: plugins?.split(","), models, allowHub: allowHub ?? false, limits };
  const workers = workPool(settings, workLimitsOf(asked));
  const planElsewhere = (record: JobRecord, bytes: number) => planned(workers, record, bytes);
  const tell = (text: string): void => void process.stderr.write(`${text}\n`);
  // For a package that must be installed, the message is enough.
  const onError = (error: Error): void =>
    void tell(
      String(error instanceof AttuneError && error.code === "NOT_INSTALLED" ? error.message : error.stack ?? error),
    );
  const server = await openJobs({
    host: machine,
    catalog,
    store,
    models: named,
    opened,
    onError,
    tell,
    planElsewhere,
    maxFileBytes: asked.uploadBytes,
    maxFileSeconds: asked.uploadSeconds,
  });
  const app = createApp({
    catalog,
    keys,
    host: machine,
    models: named,
    jobs: server,
    cors,
    specSchema: readFileSync(new URL("../../spec.schema.json", import.meta.url), "utf8"),
    limits,
    workers,
    onError,
  });
  const at = { port, hostname: host, headersSeconds: asked.headersSeconds, alone: true };
  const listening = await listen(app.fetch, at).catch(async (error) => {
    await opened.close();
    throw error;
  });
  const stop = server.start();
  const name = host.includes(":") ? `[${host}]` : host;
  process.stderr.write(`listening on http://${name}:${listening.port}\n`);
  await new Promise<void>((done) => {
    process.once("SIGINT", () => done());
    process.once("SIGTERM", () => done());
  });
  stop();
  await workers.close();
  await listening.close();
  await opened.close();
  return exitCodes.done;
}
