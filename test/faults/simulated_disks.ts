/**
 * Runs schedules of jobs on a simulated disk and prints what they did: `node test/faults/simulated_disks.ts FIRST COUNT`. With
 * the name of something that is broken on purpose, prints the first seed that notices it. In a process of its own, since
 * Node's test runner follows every promise, which takes longer than the schedules.
 */
import process from "node:process";
import type { commitLease } from "../../core/jobs/record.ts";
import { simulateDisk, simulateDisks } from "./disk_simulator.ts";
import type { BrokenDisk } from "./simulated_disk.ts";

/** A runner's last word is taken, whoever has the lease. */
const lateCommit: typeof commitLease = (record, token, result, at) => ({
  record: { ...record, status: "succeeded", finishedAt: at, lease: undefined, result: { ...result, token } },
});

// A disk without room makes errors by the thousand, and nobody reads where.
Error.stackTraceLimit = 0;
const [from = 0, count = 0] = process.argv.slice(2, 4).map(Number);
const broken = process.argv[4];
if (broken === undefined) {
  const total = await simulateDisks(from, count);
  const { user, system } = process.cpuUsage();
  console.log(JSON.stringify({ total, seconds: (user + system) / 1e6 }));
} else {
  const how = broken === "late commits" ? { commit: lateCommit } : { disk: broken as BrokenDisk };
  let noticed: string | undefined;
  for (let seed = from; seed < from + count && noticed === undefined; seed++) {
    await simulateDisk(seed, how).catch((error) => (noticed = `seed ${seed}: ${error.message}`));
  }
  console.log(JSON.stringify({ noticed: noticed ?? null }));
}
