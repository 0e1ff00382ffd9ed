/** Checkpoints on a disk that fails: shared by the short and the long form of the tests. */
import assert from "node:assert/strict";
import type { CheckpointFiles } from "../../core/run/checkpoints/files.ts";
import { type Checkpoints, checkpointsIn } from "../../core/run/checkpoints/checkpoints.ts";
import { createRandom } from "../../core/math/random.ts";
import { directoryStore } from "../../runtimes/host/directory_store.ts";
import { type Crash, imageAfter, type MemoryFiles, memoryFiles } from "./memory_files.ts";
import { collect } from "../../core/base/collect.ts";

/** A state that is different at each step. */
export function savedAt(step: number): CheckpointFiles {
  const tensor = (seed: number) => ({
    dtype: "float32" as const,
    dims: [40],
    data: Float32Array.from({ length: 40 }, (_, i) => Math.sin(seed * 100 + i)),
  });
  return {
    state: {
      step,
      skipped: 0,
      inARow: 0,
      callbacks: [{ best: step }],
      best: {},
      kept: { "": step },
      learningRateFactor: 1,
      planned: true,
    },
    tensors: { "parameter/a": tensor(step), "m/a": tensor(step + 0.5) },
    best: { "parameter/a": tensor(-step) },
    fingerprints: { base: "b", tokenizer: "t", train: "r" },
    spec: { training: { seed: 1 } },
    logs: { "jsonl {}": 100 * step },
  };
}

/** The checkpoints of a run on a disk. */
export function checkpointsOn(disk: MemoryFiles, limit?: number): Checkpoints {
  return checkpointsIn(directoryStore("/run", disk.files), limit);
}

/** What is found must be one that was saved, whole. */
export function assertWhole(saved: CheckpointFiles): void {
  assert.deepEqual(saved, savedAt(saved.state.step));
}

/**
 * Saves steps 1 to `saves`, then takes every prefix of what was done to the disk, lets it crash, and loads what is left.
 * Gives the number of crashes. A save that had resolved must be there; one that had not may be there, but only whole.
 */
export async function replayPrefixes(saves: number, limit: number, seeds: number): Promise<number> {
  const disk = memoryFiles();
  const own = checkpointsOn(disk, limit);
  const resolved: { at: number; step: number }[] = [];
  for (let step = 1; step <= saves; step++) {
    await own.save(savedAt(step));
    resolved.push({ at: disk.operations.length, step });
  }
  const crashes: [Crash, number][] = [["killed", 1], ["power", 1], ["renamed", 1], ["torn", seeds]];
  let count = 0;
  for (let n = 0; n <= disk.operations.length; n++) {
    const least = Math.max(0, ...resolved.filter((r) => r.at <= n).map((r) => r.step));
    for (const [crash, times] of crashes) {
      for (let seed = 0; seed < times; seed++) {
        const random = createRandom(seed).fork(n);
        let drawn = 0;
        const left = memoryFiles(imageAfter(disk.operations, n, crash, () => random.uniform(drawn++)));
        const { saved } = await checkpointsOn(left).newest();
        const where = `${crash} after ${n} of ${disk.operations.length} operations, seed ${seed}`;
        assert.ok((saved?.state.step ?? 0) >= least, `${where}: found ${saved?.state.step}, step ${least} was saved`);
        if (saved) assertWhole(saved);
        // The next save works on what the crash has left.
        if (seed === 0) {
          await checkpointsOn(left, limit).save(savedAt(saves + 1));
          assertWhole((await checkpointsOn(left).newest()).saved ?? savedAt(0));
        }
        count++;
      }
    }
  }
  return count;
}

/** A disk that is full after `k` bytes of a second save. True where the save failed. */
export async function fullAt(k: number): Promise<boolean> {
  const disk = memoryFiles();
  const checkpoints = checkpointsOn(disk, 1);
  await checkpoints.save(savedAt(1));
  disk.room.bytes = k;
  const failed = await checkpoints.save(savedAt(2)).then(() => false, (error) => {
    assert.equal(error.code, "DISK_FULL", String(error));
    return true;
  });
  const { saved } = await checkpointsOn(disk).newest();
  assert.equal(saved?.state.step, failed ? 1 : 2, `full after ${k} bytes`);
  if (saved) assertWhole(saved);
  assert.deepEqual(disk.names().filter((name) => name.includes("~attune")), [], "files in the making are gone");
  disk.room.bytes = Infinity;
  await checkpoints.save(savedAt(2));
  assert.equal((await checkpointsOn(disk).newest()).saved?.state.step, 2);
  return failed;
}

/** Flips random bits of the newest of two checkpoints, or cuts a file; gives how many times the damage was named. */
export async function damage(times: number): Promise<void> {
  const random = createRandom(5);
  const disk = memoryFiles();
  const checkpoints = checkpointsOn(disk);
  await checkpoints.save(savedAt(1));
  await checkpoints.save(savedAt(2));
  const store = directoryStore("/run", disk.files);
  const keys = (await collect(store.list("checkpoints/step-00000002/"))).map(({ key }) => key);
  for (let i = 0; i < times; i++) {
    const key = keys[random.bits(4 * i) % keys.length] ?? "";
    const before = (await store.get(key))?.bytes ?? new Uint8Array();
    const at = random.bits(4 * i + 1) % before.length;
    const cut = random.uniform(4 * i + 2) < 0.2;
    const changed = cut ? before.slice(0, at) : before.slice();
    if (!cut) changed[at] = (changed[at] ?? 0) ^ (1 << (random.bits(4 * i + 3) % 8));
    await store.put(key, changed);
    const { saved, damaged } = await checkpoints.newest();
    assert.equal(saved?.state.step, 1, `${key} changed at ${at} (${cut ? "cut" : "flipped"}) was taken as good`);
    assert.equal(damaged[0]?.name, "step-00000002");
    assert.match(damaged[0]?.problem ?? "", /step-00000002/);
    await store.put(key, before);
  }
}
