/**
 * Running what the README says, one terminal after the other.
 * @module
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { commands, here } from "./faults/killed_runs.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Why such tests are skipped, where they are. */
export const noTools: string | false =
  (spawnSync("curl", ["--version"]).status !== 0 || spawnSync("sh", ["-c", "true"]).status !== 0) &&
  "curl is not installed";

/** The code blocks of a section. */
export function blocksOf(title: string): readonly string[] {
  const sections = readFileSync(join(root, "README.md"), "utf8").split(/^## /m);
  const section = sections.find((s) => s.startsWith(`${title}\n`));
  return [...(section ?? "").matchAll(/^```(sh|js)\n([^]*?)^```$/gm)].map((m) => m[2] ?? "");
}

/** A folder as a user's, and programs in it. */
export type ReadmeRig = Readonly<{
  folder: string;
  /** A block as it is run here: another port, this runtime. */
  own(text: string | undefined): string;
  terminal(program: string, args: readonly string[]): Readonly<{ child: ChildProcess; output: () => string }>;
  /** Runs a program to its end, which has to be a good one; `more` is shown where it is not. */
  finished(program: string, args: readonly string[], more?: () => string): Promise<string>;
  /** Starts a server, and waits until it listens. */
  serve(block: string | undefined): Promise<void>;
}>;

/** Makes one; its programs end with the tests. */
export async function readmeRig(): Promise<ReadmeRig> {
  const folder = mkdtempSync(join(tmpdir(), "attune-readme-"));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const port = await freePort();
  const children: ChildProcess[] = [];
  after(() => {
    for (const { pid, exitCode } of children) if (pid !== undefined && exitCode === null) process.kill(pid, "SIGKILL");
  });
  const terminal: ReadmeRig["terminal"] = (program, args) => {
    const child = spawn(program, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    children.push(child);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Uint8Array) => (output += new TextDecoder().decode(chunk)));
    }
    return { child, output: () => output };
  };
  const own: ReadmeRig["own"] = (text = "") =>
    text.replaceAll("8787", String(port)).replaceAll("npx attune", `exec ${(commands[here] ?? []).join(" ")}`);
  return {
    folder,
    own,
    terminal,
    finished: async (program, args, more = () => "") => {
      const { child, output } = terminal(program, args);
      const code = await new Promise((resolve) => child.on("close", resolve));
      assert.equal(code, 0, `${args.join(" ")}\n${output()}\n${more()}`);
      return output();
    },
    serve: async (block) => {
      const server = terminal("sh", ["-c", own(block)]);
      for (let i = 0; i < 2000 && !server.output().includes("listening"); i++) {
        await new Promise((r) => setTimeout(r, 50));
      }
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
