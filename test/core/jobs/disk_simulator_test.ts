import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { DiskOutcome } from "../../faults/disk_simulator.ts";
import { commands, here } from "../../faults/killed_runs.ts";
import { sampled } from "../../sampled.ts";

const script = fileURLToPath(new URL("../../faults/simulated_disks.ts", import.meta.url));
const run = async (...args: readonly string[]) => {
  const [program = "", ...before] = commands[here]?.slice(0, -1) ?? [];
  const { stdout } = await promisify(execFile)(program, [...before, script, ...args]);
  return JSON.parse(stdout);
};

describe("jobs in a directory, on a disk that is full, loses power, and servers that die between any two of its calls", () => {
  it("are committed once, none is lost or unreadable, and all come to an end", async () => {
    const { total } = await run("0", "80") as { total: Record<keyof DiskOutcome, number> };
    assert.equal(total.succeeded + total.failed + total.cancelled, total.jobs);
    for (const what of ["succeeded", "cancelled", "stale", "errors", "kills", "stops", "powers", "fulls"] as const) {
      assert.ok(total[what] > 0, `no schedule had ${what}: ${JSON.stringify(total)}`);
    }
  });

  // The simulator must see what it is there to see.
  for (
    const [broken, seeds] of sampled(
      Object.entries({
        "no sync of files": "30",
        "no sync of folders": "30",
        "links replace": "400",
        "late commits": "150",
      }),
      2,
    )
  ) {
    it(`would be caught: ${broken}`, async () => {
      const { noticed } = await run("0", seeds, broken) as { noticed: string | null };
      assert.match(String(noticed), /seed/);
    });
  }
});
