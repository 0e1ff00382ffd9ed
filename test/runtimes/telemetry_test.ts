import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { it } from "node:test";
import { commands, here, killableRun, started } from "../faults/killed_runs.ts";

const { folder, spec } = killableRun({ training: { maxSteps: 6 } });

/** What `read` gives of /proc, undefined if the process (or a file of it) ended in between. */
function stillThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (["ENOENT", "ESRCH", "EINVAL"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

/** The internet sockets that a process of this machine has open; undefined if it has ended. */
function socketsOf(pid: number): string[] | undefined {
  const files = stillThere(() => readdirSync(`/proc/${pid}/fd`));
  const tables = ["tcp", "tcp6", "udp", "udp6"].map((kind) =>
    stillThere(() => readFileSync(`/proc/${pid}/net/${kind}`, "utf8"))
  );
  if (files === undefined || tables.includes(undefined)) return undefined;
  const inodes = files.map((fd) =>
    /^socket:\[(\d+)\]$/.exec(stillThere(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? "")?.[1]
  );
  return tables.flatMap((table) =>
    (table ?? "").split("\n").filter((line) => inodes.includes(line.trim().split(/\s+/)[9] ?? ""))
  );
}

for (
  const [what, command] of Object.entries({
    run: ["run", spec, "--output", join(folder, "out"), "--json"],
    // Computes in its main thread, where a run has a worker.
    evaluate: ["evaluate", spec],
  })
) {
  it(`attune ${what} leaves nothing in the temporary folder or the home, and opens no connection`, async () => {
    const [temporary, home] = ["tmp", "home"].map((name) => mkdtempSync(join(tmpdir(), `attune-${name}-`))) as [
      string,
      string,
    ];
    const env: Record<string, string | undefined> = { ...process.env, TMPDIR: temporary, HOME: home };
    for (const name of ["ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "CI", "TF_BUILD", "GITHUB_ACTIONS"]) {
      delete env[name];
    }
    // What the runtimes themselves keep has a place of its own.
    const caches = mkdtempSync(join(tmpdir(), "attune-caches-"));
    Object.assign(env, { DENO_DIR: process.env.DENO_DIR ?? caches, NODE_COMPILE_CACHE: caches });
    const sockets: string[] = [];
    let looked = 0;
    const ended = await started([...commands[here] ?? [], ...command], (_line, { pid }) => {
      const open = socketsOf(pid);
      if (open === undefined) return;
      looked++;
      sockets.push(...open);
    }, env);
    assert.equal(ended.code, 0, ended.output);
    assert.deepEqual(readdirSync(temporary), []);
    assert.deepEqual(readdirSync(home).filter((name) => name !== ".bun"), [], "but for what Bun keeps there");
    assert.deepEqual(sockets, []);
    if (process.platform === "linux" && what === "run") assert.ok(looked > 6, "its sockets were looked at");
  });
}
