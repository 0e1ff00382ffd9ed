import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { DiskOutcome } from "../faults/disk_simulator.ts";
import type { Outcome } from "../faults/jobs_simulator.ts";
import { here } from "../faults/killed_runs.ts";

/** What depends on no runtime is done at length on one of them; `test/core/jobs` has the short form for all. */
const skip = here !== "node" && "at length on Node alone";

describe("jobs, at length", () => {
  it(
    "10,000 schedules on a simulated disk commit nothing twice, lose nothing, leave nothing unreadable",
    { skip },
    async () => {
      const script = fileURLToPath(new URL("../faults/simulated_disks.ts", import.meta.url));
      const { stdout } = await promisify(execFile)(process.execPath, [script, "100000", "10000"]);
      const { total, seconds } = JSON.parse(stdout) as { total: Record<keyof DiskOutcome, number>; seconds: number };
      assert.ok(total.jobs > 10_000 && total.powers > 5000 && total.fulls > 5000);
      assert.equal(total.succeeded + total.failed + total.cancelled, total.jobs);
      console.log(`10,000 schedules in ${seconds.toFixed(0)} s of processor time: ${JSON.stringify(total)}`);
    },
  );

  it("10,000 schedules commit nothing twice and lose nothing", { skip }, async () => {
    const script = fileURLToPath(new URL("../faults/simulated_jobs.ts", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [script, "1000", "10000"]);
    const { total, seconds } = JSON.parse(stdout) as { total: Record<keyof Outcome, number>; seconds: number };
    assert.ok(total.jobs > 10_000 && total.crashes > 10_000);
    assert.equal(total.succeeded + total.failed + total.cancelled, total.jobs);
    // Of that process alone: what else the machine does says nothing of a schedule.
    assert.ok(seconds < 120, `took ${seconds} s`);
    console.log(`10,000 schedules in ${seconds.toFixed(0)} s of processor time: ${JSON.stringify(total)}`);
  });
});
