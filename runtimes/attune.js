#!/usr/bin/env node
/**
 * The command line of a checkout (`npx attune`), which is TypeScript: a Node that cannot run it hands over to the
 * one that `npm install` has installed. The package on npm has JavaScript, and starts `runtimes/cli.js` itself.
 * @module
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const cli = new URL("cli.ts", import.meta.url);

if (process.features.typescript || process.versions.bun || process.versions.deno) await import(cli.href);
else handOver(fileURLToPath(new URL("../node_modules/.bin/node", import.meta.url)));

function handOver(node) {
  if (!existsSync(node)) {
    process.stderr.write(`Node ${process.versions.node} reads no TypeScript: run "npm install" in the checkout\n`);
    process.exitCode = 2;
    return;
  }
  const child = spawn(node, [fileURLToPath(cli), ...process.argv.slice(2)], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    // A terminal interrupts both processes itself.
    process.on(signal, () => signal === "SIGINT" && process.stdin.isTTY || child.kill(signal));
  }
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
