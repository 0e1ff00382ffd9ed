/** Processes that the system has killed for lack of memory: a trial that takes too much cannot report it itself. */
import { existsSync, readFileSync } from "node:fs";
import type { TrialStart } from "./study_files.ts";

/** Files in which Linux counts these, for the whole machine and for a container. */
const COUNTS = ["/proc/vmstat", "/sys/fs/cgroup/memory.events"] as const;

/** Returns how many processes the system has killed for lack of memory since its start; undefined: unknown. */
export function memoryKills(files: readonly string[] = COUNTS): number | undefined {
  const counts = files.flatMap((file) => {
    const [, count] = (existsSync(file) && /^oom_kill (\d+)$/m.exec(readFileSync(file, "utf8"))) || [];
    return count === undefined ? [] : [Number(count)];
  });
  return counts.length > 0 ? counts.reduce((a, b) => a + b, 0) : undefined;
}

/** Returns how often a trial's process was killed, by its note: it began, did not end, and there are more kills now. */
export function killsBefore({ kills = 0, killsHere }: Partial<TrialStart>, now: number | undefined): number {
  return killsHere !== undefined && now !== undefined && now > killsHere ? kills + 1 : kills;
}
