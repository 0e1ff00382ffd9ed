/**
 * Node's compile cache: the second start need not compile every module again.
 * @module
 */
import module from "node:module";

/** Turns it on where the runtime has it (Node 22.8 and later). */
export function cacheCompiled(): void {
  if ("enableCompileCache" in module) module.enableCompileCache();
}
