/**
 * The parts of `attune serve`, for your own server on Node, Bun or Deno.
 *
 * @example
 * ```ts
 * import { catalog } from "attune/catalog";
 * import { createApp } from "attune/edge";
 * import { node } from "attune/node";
 * import { folderModels, serveNode } from "attune/serve";
 * const host = await node();
 * const app = createApp({ catalog, host, keys: [], models: folderModels(undefined, host) });
 * const { close } = await serveNode(app.fetch, { port: 0, hostname: "127.0.0.1" });
 * await close();
 * ```
 * @module
 */
export { folderModels } from "./folder_models.ts";
export { type JobsServerOptions, openJobs } from "../jobs/jobs_server.ts";
export { type JobStore, openJobStore } from "../jobs/job_store.ts";
export { listen } from "../host/listen.ts";
export type { Handler, Listening, ListenOptions } from "../host/servers/options.ts";
export { serveBun } from "../host/servers/bun.ts";
export { serveNode } from "../host/servers/node.ts";
