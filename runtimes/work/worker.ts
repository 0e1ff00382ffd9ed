/** A thread that answers heavy requests. */
import { parentPort } from "node:worker_threads";
import { cacheCompiled } from "../host/compile_cache.ts";

// Must happen before anything large is imported, so the rest is a module of its own.
cacheCompiled();
// Listens from the start, because Deno drops messages that arrive before there is a listener.
const work = import("./worker_run.ts");
parentPort?.on("message", async (message) => (await work).receive(message));
