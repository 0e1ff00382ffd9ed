/**
 * A schedule that a seed orders: actors wait for their turns, die and are stopped, and a clock goes on between them.
 */
import { createRandom } from "../../core/math/random.ts";

/** A process that may die. What waits for a dead one never comes. */
export type Actor = { alive: boolean; stoppedUntil: number };

/** Who comes when. */
export interface Schedule {
  /** Milliseconds of a clock that only goes forward. */
  now(): number;
  /** Turns that were given. */
  turns(): number;
  chance(p: number): boolean;
  below(n: number): number;
  /** Waits for a turn, after some milliseconds or later. */
  wait(actor: Actor, ms: number): Promise<void>;
  /** Gives turns until `between` says that all is done; it comes before each of them. */
  run(between: () => boolean): Promise<void>;
}

/** The schedule of a seed. */
export function scheduleOf(seed: number): Schedule {
  const random = createRandom(seed).fork("schedule");
  let [drawn, now, turns] = [0, 0, 0];
  let waiting: { actor: Actor; at: number; run: () => void }[] = [];
  const below = (n: number): number => Math.floor(random.uniform(drawn++) * n);
  const chance = (p: number): boolean => random.uniform(drawn++) < p;
  return {
    now: () => now,
    turns: () => turns,
    chance,
    below,
    wait: (actor, ms) => new Promise((resolve) => waiting.push({ actor, at: now + ms, run: resolve })),
    run: async (between) => {
      for (;; turns++) {
        // Everything that does not wait comes first.
        await new Promise((resolve) => setImmediate(resolve));
        if (between()) return;
        waiting = waiting.filter(({ actor }) => actor.alive);
        const dueAt = ({ at, actor }: (typeof waiting)[number]): number => Math.max(at, actor.stoppedUntil);
        let due = waiting.filter((one) => dueAt(one) <= now);
        if (due.length === 0) {
          now = Math.min(...waiting.map(dueAt));
          due = waiting.filter((one) => dueAt(one) <= now);
        }
        const next = due[below(due.length)];
        if (!next) throw new Error("nobody waits for anything");
        waiting.splice(waiting.indexOf(next), 1);
        next.run();
      }
    },
  };
}
