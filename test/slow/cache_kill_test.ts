/** Processes that are killed while they index files and write caches: nothing wrong is ever read back. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, it } from "node:test";
import { fileURLToPath } from "node:url";
import { openLines } from "../../core/data/line_index.ts";
import { openKeptSamples } from "../../core/run/rows/kept_samples.ts";
import { seekable } from "../../core/data/seekable.ts";
import type { Host, Rows, Sample } from "../../core/types.ts";
import { directoryStore } from "../../runtimes/host/directory_store.ts";

const COUNT = 60_000;
const given = process.env.CACHE_KILL_FOLDER;
const folder = given ?? mkdtempSync(join(tmpdir(), "attune-cache-kill-"));
const cache = join(folder, "cache");
const row = (i: number): Readonly<{ text: string; i: number }> => ({ text: `a row of ${i} words `.repeat(i % 7), i });

const opened: Rows = {
  fingerprint: "f".repeat(64),
  read: async function* (from) {
    for (let i = from?.at ?? 0; i < COUNT; i++) yield { row: row(i), next: { at: i + 1 } };
  },
};

const sampleOf = (i: number): Sample => ({
  row: i,
  sequences: [{
    length: i % 50,
    fields: { input_ids: { axis: "token", data: new Int32Array(i % 50).fill(i), padValue: 0 } },
  }],
  targets: {},
});

/** Reads what is kept of some thousand samples, and keeps the others. */
async function keep(): Promise<void> {
  const samples = await openKeptSamples({ cache: directoryStore(cache), parts: ["kill"], blockBytes: 2 ** 16 });
  for (let i = 0; i < 6000; i++) {
    const sample = (await samples.get([i])).get(i);
    if (sample) assert.deepEqual(sample, sampleOf(i));
    else await samples.put(i, sampleOf(i));
  }
  await samples.flush();
}

/** Indexes a file and writes a stream down, then looks at some rows of both. */
async function look(): Promise<void> {
  const store = directoryStore(folder);
  const lines = await openLines(
    { plugin: "text", name: "rows", store, key: "rows.txt", identity: "rows" },
    directoryStore(cache),
  );
  const rows = await seekable(opened, { cache: directoryStore(cache) } as Host, 1000);
  for (const i of [0, 7, 31_234, COUNT - 1]) {
    assert.deepEqual((await lines.at([i])).map(({ text }) => text), [`line ${i}`]);
    assert.deepEqual(await rows.at([i]), [row(i)]);
  }
  assert.deepEqual([lines.count, rows.length], [COUNT, COUNT]);
}

if (given !== undefined) {
  // The child: until it is killed.
  for (;;) await Promise.all([look(), keep()]);
} else {
  after(() => rmSync(folder, { recursive: true, force: true }));
  it("processes killed at random leave a cache that others read rightly", async () => {
    writeFileSync(join(folder, "rows.txt"), Array.from({ length: COUNT }, (_, i) => `line ${i}`).join("\n"));
    for (let kill = 0; kill < 12; kill++) {
      if (kill % 3 === 0) rmSync(cache, { recursive: true, force: true });
      const file = fileURLToPath(import.meta.url);
      const child = spawn(process.execPath, "Deno" in globalThis ? ["run", "-A", file] : [file], {
        env: { ...process.env, CACHE_KILL_FOLDER: folder },
      });
      await new Promise((done) => setTimeout(done, 250 + 90 * kill));
      child.kill("SIGKILL");
      await new Promise((done) => child.on("exit", done));
      await look();
      await keep();
    }
  });
}
