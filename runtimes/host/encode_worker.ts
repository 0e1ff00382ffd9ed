/** The worker that rows are encoded in. */
import { parentPort } from "node:worker_threads";
import { cacheCompiled } from "./compile_cache.ts";

// Before anything large is imported, which is why the rest is a module of its own.
cacheCompiled();
// From the first turn on: on Deno, what comes before somebody listens is lost.
const work = import("./encode_worker_run.ts");
parentPort?.on("message", async (message) => (await work).receive(message));
