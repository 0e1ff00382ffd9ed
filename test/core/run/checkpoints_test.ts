import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assertWhole, checkpointsOn, damage, fullAt, replayPrefixes, savedAt } from "../../faults/checkpoint_faults.ts";
import { memoryFiles } from "../../faults/memory_files.ts";

describe("checkpoints", () => {
  it("are never found in part, and never lost once saved, wherever the machine goes down", async () => {
    const crashes = await replayPrefixes(3, 2, 2);
    assert.ok(crashes > 300, `only ${crashes} crashes`);
  });

  it("stay when the disk is full, whatever the byte", async () => {
    const failed: boolean[] = [];
    for (let k = 0; k < 2200; k += 37) failed.push(await fullAt(k));
    assert.ok(failed[0] && !await fullAt(100_000), "both a full and a large disk were seen");
  });

  it("that are damaged are named, and the one before is used", () => damage(60));

  it("keep as many as asked, the newest", async () => {
    const disk = memoryFiles();
    for (let step = 1; step <= 5; step++) await checkpointsOn(disk, 2).save(savedAt(step));
    const left = new Set(disk.names().flatMap((name) => /step-0*(\d+)/.exec(name)?.[1] ?? []));
    assert.deepEqual([...left].sort(), ["4", "5"]);
  });

  it("of a new run are not taken for older than those of an earlier one", async () => {
    const disk = memoryFiles();
    for (const step of [900, 1000]) await checkpointsOn(disk).save(savedAt(step));
    for (const step of [10, 20]) await checkpointsOn(disk, 2).save(savedAt(step));
    const { saved } = await checkpointsOn(disk).newest();
    assert.equal(saved?.state.step, 20);
    const left = new Set(disk.names().flatMap((name) => /step-0*(\d+)/.exec(name)?.[1] ?? []));
    assert.deepEqual([...left].sort(), ["10", "20"]);
  });

  it("fall back as far as the last good one", async () => {
    const disk = memoryFiles();
    const checkpoints = checkpointsOn(disk);
    for (let step = 1; step <= 4; step++) await checkpoints.save(savedAt(step));
    for (const step of [3, 4]) await disk.files.rm(`/run/checkpoints/step-0000000${step}/state-00001.safetensors`);
    const { saved, damaged } = await checkpoints.newest();
    assert.deepEqual(damaged.map((d) => d.name), ["step-00000004", "step-00000003"]);
    assert.equal(saved?.state.step, 2);
    if (saved) assertWhole(saved);
  });
});
