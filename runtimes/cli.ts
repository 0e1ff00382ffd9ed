/** The command line: `attune <command>`. */
import process from "node:process";
import { cacheCompiled } from "./host/compile_cache.ts";

cacheCompiled();

// A reader that stops early, such as `head`, is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const { main } = await import("./cli/main.ts");
process.exitCode = await main(process.argv.slice(2));
