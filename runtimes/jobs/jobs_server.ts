/** Jobs on this machine: records and files are in a directory or NATS, and plans are made here. */
import type { Catalog, Host, OpenQueue, Store } from "../../core/types.ts";
import { catalog as builtIn } from "../../plugins/catalog.ts";
import { jobPlanner } from "./job_planner.ts";
import { type JobsApp, jobsApp, type JobsAppOptions } from "./jobs_app.ts";
import { openJobStore } from "./job_store.ts";

/** Options of jobs on this machine. */
export type JobsServerOptions =
  & Pick<
    JobsAppOptions,
    | "models"
    | "planElsewhere"
    | "leaseSeconds"
    | "heartbeatSeconds"
    | "now"
    | "maxAttempts"
    | "maxFileBytes"
    | "maxFileSeconds"
    | "onError"
    | "tell"
  >
  & Readonly<{
    host: Host;
    /** The plugins that jobs may use; absent: the built-in ones. */
    catalog?: Catalog;
    /** The store's address: a directory, or nats://host:port. */
    store: string;
    /** An opened store and queue in place of the address. */
    opened?: Readonly<{ store: Store; queue: OpenQueue }>;
  }>;

/** Opens the jobs in a directory or in NATS. */
export async function openJobs(
  { host, catalog = builtIn, store: address, opened, ...rest }: JobsServerOptions,
): Promise<JobsApp> {
  const { store, queue } = opened ?? await openJobStore(address, host);
  return jobsApp({ ...rest, store, queue, planner: jobPlanner(catalog, host) });
}
