import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { commands, here } from "../faults/killed_runs.ts";
import { tinyFiles } from "../tiny.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const section = readFileSync(join(root, "README.md"), "utf8").split(/^## /m).find((s) =>
  s.startsWith("Serve and dispatch")
);
const blocks = [...(section ?? "").matchAll(/^```(sh|js)\n([^]*?)^```$/gm)].map((m) => m[2] ?? "");
const noTools = spawnSync("curl", ["--version"]).status !== 0 || spawnSync("sh", ["-c", "true"]).status !== 0;
const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });

describe("README: Serve and dispatch", { skip: noTools && "curl is not installed" }, () => {
  it("its commands work, one terminal after the other", async () => {
    const [serve, runner, curl, script, use] = blocks;
    assert.equal(blocks.length, 5);
    const folder = mkdtempSync(join(tmpdir(), "attune-readme-"));
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    writeFileSync(join(folder, "package.json"), '{ "dependencies": { "openai": "*" } }');
    const model = join(folder, "models", "all-MiniLM-L6-v2");
    mkdirSync(model, { recursive: true });
    for (const [name, bytes] of Object.entries(tinyFiles())) writeFileSync(join(model, name), bytes);
    const port = await freePort();
    const own = (text = ""): string =>
      text.replaceAll("8787", String(port)).replaceAll("npx attune", `exec ${(commands[here] ?? []).join(" ")}`);
    const children: ChildProcess[] = [];
    after(() => {
      for (const { pid, exitCode } of children) {
        if (pid !== undefined && exitCode === null) process.kill(pid, "SIGKILL");
      }
    });
    const terminal = (program: string, args: readonly string[]): { child: ChildProcess; output: () => string } => {
      const child = spawn(program, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
      children.push(child);
      let output = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream?.on("data", (chunk: Uint8Array) => (output += new TextDecoder().decode(chunk)));
      }
      return { child, output: () => output };
    };
    const finished = async (program: string, args: readonly string[]): Promise<string> => {
      const { child, output } = terminal(program, args);
      const code = await new Promise((resolve) => child.on("close", resolve));
      assert.equal(code, 0, `${args.join(" ")}\n${output()}\n${runners.output()}`);
      return output();
    };
    const server = terminal("sh", ["-c", own(serve)]);
    for (let i = 0; i < 2000 && !server.output().includes("listening"); i++) {
      await new Promise((r) => setTimeout(r, 50));
    }
    const runners = terminal("sh", ["-c", own(runner)]);
    const told = await finished("sh", ["-c", own(curl)]);
    assert.match(told, /event: fine_tuning\.job\.event[^]*training loss=[^]*successfully completed[^]*event: done/);
    writeFileSync(join(folder, "job.mjs"), own(script));
    const [program = "", ...args] = (commands[here] ?? []).slice(0, -1);
    assert.match(
      await finished(program, [...args, join(folder, "job.mjs")]),
      /The job has successfully completed[^]*Created/,
    );
    assert.match(await finished("sh", ["-c", own(use)]), /accuracy/);
  });
});
