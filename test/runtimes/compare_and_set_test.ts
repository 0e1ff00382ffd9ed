import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import type { Store } from "../../core/types.ts";
import { directoryStore } from "../../runtimes/host/directory_store.ts";
import type { Files } from "../../runtimes/host/files.ts";
import { commands, here } from "../faults/killed_runs.ts";
import { memoryFiles } from "../faults/memory_files.ts";
import { collect } from "../../core/base/collect.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = async (store: Store, key: string): Promise<string | undefined> => {
  const object = await store.get(key);
  return object && new TextDecoder().decode(object.bytes);
};

/** A file system that stops whoever uses it before its call number `at`, until it may go on. */
function stoppable(files: Files, at: number): { files: Files; stopped: Promise<void>; goOn: () => void } {
  let [calls, stop, goOn] = [0, (): void => {}, (): void => {}];
  const stopped = new Promise<void>((resolve) => (stop = resolve));
  const going = new Promise<void>((resolve) => (goOn = resolve));
  const own = Object.fromEntries(
    Object.entries(files).map(([name, call]) => [name, async (...args: never[]) => {
      if (calls++ === at) {
        stop();
        await going;
      }
      return await (call as (...args: never[]) => Promise<unknown>)(...args);
    }]),
  );
  return { files: own as unknown as Files, stopped, goOn };
}

const acts: Readonly<Record<string, (store: Store, revision: string) => Promise<unknown>>> = {
  put: (store, revision) => store.put("dir/k", bytes("late"), { if: revision }),
  delete: (store, revision) => store.delete("dir/k", { if: revision }),
  "put of a deleted key": (store) => store.put("gone", bytes("late"), { if: null }),
  "put of a new key": (store) => store.put("new", bytes("late"), { if: null }),
};

describe("compare-and-set of a directory", () => {
  for (const [name, act] of Object.entries(acts)) {
    it(`${name}: whoever is stopped, before any call, overwrites nothing newer`, async () => {
      let points = 0;
      for (let at = 0;; at++) {
        const disk = memoryFiles();
        const others = directoryStore("/d", disk.files);
        const key = name.endsWith("a deleted key") ? "gone" : name.endsWith("a new key") ? "new" : "dir/k";
        let revision: string | null = null;
        const put = async (text: string): Promise<boolean> => {
          const done = await others.put(key, bytes(text), { if: revision });
          if (done !== "conflict") revision = done.revision;
          return done !== "conflict";
        };
        if (key !== "new") assert.ok(await put("first") && await put("second"));
        if (key === "gone") await others.delete(key, { if: String(revision) });
        const base = String(revision);
        if (key === "gone") revision = null;
        const late = stoppable(disk.files, at);
        const answer = act(directoryStore("/d", late.files), base);
        const isOver = await Promise.race([late.stopped.then(() => false), answer.then(() => true)]);
        if (isOver) break;
        points++;
        // So many that versions of the time before are removed.
        const won = await put("newer 0");
        for (let i = 1; won && i < 4; i++) assert.ok(await put(`newer ${i}`), `stopped before call ${at}`);
        late.goOn();
        const done = await answer;
        if (won) {
          assert.equal(done, "conflict", `stopped before call ${at}`);
          assert.equal(await textOf(others, key), "newer 3", `stopped before call ${at}`);
        } else {
          assert.notEqual(done, "conflict", `nobody won, one being stopped before call ${at}`);
          assert.equal(await textOf(others, key), name === "delete" ? undefined : "late");
        }
        const left = (await collect(others.list(""))).map(({ key }) => key);
        assert.deepEqual(left, won || name !== "delete" ? [key] : []);
      }
      assert.ok(points >= 8, `${points} points`);
    });
  }

  it("lets one of three processes win, round after round", async () => {
    const root = mkdtempSync(join(tmpdir(), "attune-race-"));
    const script = fileURLToPath(new URL("../faults/putter.ts", import.meta.url));
    const [program = "", ...args] = commands[here]?.slice(0, -1) ?? [];
    const racers = Array.from({ length: 3 }, () => {
      const child = spawn(program, [...args, script, root], { stdio: ["pipe", "pipe", "inherit"] });
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      const say = async (what: unknown): Promise<string[]> => {
        child.stdin.write(`${JSON.stringify(what)}\n`);
        return JSON.parse((await lines.next()).value ?? "null");
      };
      return { child, say };
    });
    try {
      let revision: string | null = null;
      for (let round = 0; round < 40; round++) {
        const all: string[][] = await Promise.all(racers.map(({ say }) => say({ key: "k", revision, times: 2 })));
        const winners: string[] = all.flat();
        assert.equal(winners.length, 1, `round ${round}: ${winners.length} have won`);
        revision = winners[0] ?? null;
        assert.equal((await directoryStore(root).get("k"))?.revision, revision);
      }
    } finally {
      for (const { child } of racers) child.kill();
    }
  });
});
