import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { simulateMany } from "../faults/jobs_simulator.ts";

describe("jobs, at length", () => {
  it("10,000 schedules commit nothing twice and lose nothing", async () => {
    const start = performance.now();
    const total = await simulateMany(1000, 10_000);
    assert.equal(total.succeeded + total.failed + total.cancelled, total.jobs);
    const seconds = (performance.now() - start) / 1000;
    console.log(`10,000 schedules in ${seconds.toFixed(0)} s: ${JSON.stringify(total)}`);
  });
});
