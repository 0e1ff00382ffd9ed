/** What the machine has killed for want of memory: a trial that takes too much leaves no word of its own. */
import { existsSync, readFileSync } from "node:fs";
import type { TrialNote } from "./study_files.ts";

/** Where Linux counts them, of the whole machine and of a container. */
const COUNTS = ["/proc/vmstat", "/sys/fs/cgroup/memory.events"] as const;

/** How many processes the system has killed for want of memory since it began; undefined where it does not say. */
export function memoryKills(files: readonly string[] = COUNTS): number | undefined {
  const counts = files.flatMap((file) => {
    const [, count] = (existsSync(file) && /^oom_kill (\d+)$/m.exec(readFileSync(file, "utf8"))) || [];
    return count === undefined ? [] : [Number(count)];
  });
  return counts.length > 0 ? counts.reduce((a, b) => a + b, 0) : undefined;
}

/** How often a trial's process was killed before, as its note tells: it began, did not end, and there are more kills now. */
export function killsBefore({ kills = 0, killsHere }: Partial<TrialNote>, now: number | undefined): number {
  return killsHere !== undefined && now !== undefined && now > killsHere ? kills + 1 : kills;
}
