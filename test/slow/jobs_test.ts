import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { simulateMany } from "../faults/jobs_simulator.ts";
import { here } from "../faults/killed_runs.ts";

/** What depends on no runtime is done at length on one of them; `test/core/jobs` has the short form for all. */
const skip = here !== "node" && "at length on Node alone";

describe("jobs, at length", () => {
  it("10,000 schedules commit nothing twice and lose nothing", { skip }, async () => {
    // Of this process: what else the machine does says nothing of a schedule.
    const start = process.cpuUsage();
    const total = await simulateMany(1000, 10_000);
    assert.equal(total.succeeded + total.failed + total.cancelled, total.jobs);
    const { user, system } = process.cpuUsage(start);
    const seconds = (user + system) / 1e6;
    assert.ok(seconds < 120, `took ${seconds} s`);
    console.log(`10,000 schedules in ${seconds.toFixed(0)} s of processor time: ${JSON.stringify(total)}`);
  });
});
