/**
 * The worker that a run is trained in.
 * @module
 */
import { cacheCompiled } from "./compile_cache.ts";

// Before anything large is imported, which is why the rest is a module of its own.
cacheCompiled();
await import("./train_worker_run.ts");
