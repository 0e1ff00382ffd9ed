import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { damage, fullAt, replayPrefixes } from "../faults/checkpoint_faults.ts";
import { here } from "../faults/killed_runs.ts";

/** What depends on no runtime is done at length on one of them; `test/core/run` has the short form for all. */
const skip = here !== "node" && "at length on Node alone";

describe("checkpoints, at length", () => {
  it("survive 5,000 crashes", { skip }, async () => {
    const crashes = await replayPrefixes(5, 2, 40);
    assert.ok(crashes >= 5000, `${crashes} crashes`);
  });
  it("stay when the disk is full, at every byte", { skip }, async () => {
    let failed = 0;
    for (let k = 0; k < 3000; k++) failed += Number(await fullAt(k));
    assert.ok(failed > 1000 && failed < 3000, `${failed}`);
  });
  it("are named as damaged, 10,000 of 10,000", { skip }, () => damage(10_000));
});
