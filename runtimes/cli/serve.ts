/**
 * `attune serve`: files, fine-tuning jobs and runners over HTTP.
 * @module
 */
import process from "node:process";
import { AttuneError } from "../../core/errors.ts";
import { openJobs } from "../jobs_server.ts";
import { openJobStore } from "../job_store.ts";
import { listen } from "../listen.ts";
import { hostHere } from "../train.ts";
import { exitCodes } from "./exit.ts";

/** Options of `attune serve`. */
export type ServeOptions = Readonly<{ port: number; host: string; store: string; models?: string }>;

/** Serves until it is told to end. */
export async function serveCommand({ port, host, store, models }: ServeOptions): Promise<number> {
  const loopback = ["127.0.0.1", "::1", "localhost"].includes(host);
  const key = (name: string): string => {
    const given = process.env[name];
    if (given) return given;
    if (!loopback) {
      throw new AttuneError(`${name} is not set: a server that others can reach needs keys of its own`, {
        code: "USAGE",
        plugin: "serve",
      });
    }
    const made = crypto.randomUUID().replaceAll("-", "");
    process.stderr.write(`${name}=${made}\n`);
    return made;
  };
  const [apiKey, runnerToken] = [key("ATTUNE_API_KEY"), key("ATTUNE_RUNNER_TOKEN")];
  const own = await hostHere();
  const opened = await openJobStore(store, own);
  const server = await openJobs({
    host: own,
    store,
    models,
    opened,
    apiKeys: [apiKey],
    runnerTokens: [runnerToken],
  });
  const stop = server.start();
  const listening = await listen(server.app.fetch, { port, hostname: host });
  const name = host.includes(":") ? `[${host}]` : host;
  process.stderr.write(`listening on http://${name}:${listening.port}\n`);
  await new Promise<void>((resolve) => {
    process.once("SIGINT", () => resolve());
    process.once("SIGTERM", () => resolve());
  });
  stop();
  await listening.close();
  await opened.close();
  return exitCodes.done;
}
