import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after } from "node:test";
import { edgeContract } from "../edge_contract.ts";
import { commands, here } from "../faults/killed_runs.ts";
import { tinyFiles } from "../tiny.ts";
import { edgeWorker } from "../worker.ts";

// `attune serve` as a process of the runtime that runs the tests: all three have their turn.
let child: ChildProcess | undefined;
after(() => child?.kill("SIGKILL"));
edgeContract(here, async () => {
  const folder = mkdtempSync(join(tmpdir(), "attune-contract-"));
  mkdirSync(join(folder, "models", "tiny"), { recursive: true });
  for (const [name, bytes] of Object.entries(tinyFiles())) writeFileSync(join(folder, "models", "tiny", name), bytes);
  const [program = "", ...args] = commands[here] ?? [];
  const server = spawn(program, [...args, "serve", "--port", "0", "--store", "jobs", "--models", "models"], {
    cwd: folder,
    env: { ...process.env, ATTUNE_API_KEY: "key", ATTUNE_RUNNER_TOKEN: "runner-token", ATTUNE_ADMIN_KEY: "admin" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  child = server;
  return await new Promise((resolve, reject) => {
    let output = "";
    server.on("exit", () => reject(new Error(`The server ended: ${output}`)));
    server.stderr.on("data", (part: Uint8Array) => {
      output += new TextDecoder().decode(part);
      const url = /listening on (\S+)/.exec(output)?.[1];
      if (url !== undefined) resolve({ url, jobs: true });
    });
  });
});

// Miniflare is a program for Node; what it runs is workerd whoever asks.
if (here === "node") {
  const worker = await edgeWorker();
  after(worker.dispose);
  edgeContract("workerd", async () => {
    for (const [name, bytes] of Object.entries(tinyFiles())) await worker.put(`tiny/${name}`, bytes);
    return { url: worker.url, jobs: false };
  });
}
