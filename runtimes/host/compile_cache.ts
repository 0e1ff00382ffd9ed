/** Node's compile cache, so that the second start need not compile every module again. */
import module from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** Enables the compile cache if the runtime has it (Node 22.8 and later), within the user's cache. */
export function cacheCompiled(): void {
  if (!("enableCompileCache" in module)) return;
  const { NODE_COMPILE_CACHE, XDG_CACHE_HOME } = process.env;
  module.enableCompileCache(NODE_COMPILE_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), ".cache"), "attune", "node"));
}
