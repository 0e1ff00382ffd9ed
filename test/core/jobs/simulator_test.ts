import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { simulate, simulateMany } from "../../faults/jobs_simulator.ts";

describe("jobs under schedules of crashes, delays, duplicates and late words", () => {
  it("commit once, and all come to an end", async () => {
    const total = await simulateMany(0, 60);
    assert.equal(total.succeeded + total.failed + total.cancelled, total.jobs);
    for (const what of ["succeeded", "cancelled", "stale", "crashes"] as const) {
      assert.ok(total[what] > 0, `no schedule had ${what}: ${JSON.stringify(total)}`);
    }
  });

  it("would be caught if a late runner could commit", async () => {
    // The simulator must see what it is there to see.
    let caught = 0;
    for (let seed = 0; seed < 600 && caught === 0; seed++) {
      await simulate(seed, (record, token, result, at) => ({
        record: { ...record, status: "succeeded", finishedAt: at, lease: undefined, result: { ...result, token } },
      })).catch(() => caught++);
    }
    assert.ok(caught > 0);
  });
});
