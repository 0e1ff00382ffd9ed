/**
 * Runs schedules of jobs and prints what they did: `node test/faults/simulated_jobs.ts FIRST COUNT`. In a process of its
 * own, since Node's test runner follows every promise, which takes longer than the schedules.
 */
import process from "node:process";
import { simulateMany } from "./jobs_simulator.ts";

const [first, count] = process.argv.slice(2).map(Number);
const total = await simulateMany(first ?? 0, count ?? 0);
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ total, seconds: (user + system) / 1e6 }));
