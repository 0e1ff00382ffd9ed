/**
 * Who waits for a job's events: one look at the store for all of them.
 * @module
 */
import type { Jobs } from "../../core/jobs/jobs.ts";

/** Wakes those who wait for events. */
export interface EventHub {
  /** Something was told of a job, by this process. */
  tell(id: string): void;
  /** Resolves when a job may have more than `known` events, or the signal is aborted. */
  more(id: string, known: number, signal: AbortSignal): Promise<void>;
}

/** How often the store is asked what other processes have told, in milliseconds. */
const LOOK = 1000;

/** A hub over jobs. `alone`: requests cannot wake each other here, so that each looks for itself. */
export function eventHub(jobs: Jobs, alone = false): EventHub {
  if (alone) {
    const more = (_id: string, _known: number, signal: AbortSignal): Promise<void> =>
      new Promise((resolve) => {
        if (!signal.aborted) setTimeout(resolve, LOOK);
        else resolve();
      });
    return { tell: () => {}, more };
  }
  const waiting = new Map<string, Set<() => void>>();
  let timer: ReturnType<typeof setInterval> | undefined;
  const counts = new Map<string, number>();
  const wake = (id: string): void => {
    const all = waiting.get(id);
    waiting.delete(id);
    for (const resolve of all ?? []) resolve();
    if (waiting.size === 0) {
      clearInterval(timer);
      timer = undefined;
      counts.clear();
    }
  };
  const look = async (): Promise<void> => {
    for (const id of [...waiting.keys()]) {
      const count = await jobs.events(id).count().catch(() => undefined);
      if (count === undefined || count === counts.get(id)) continue;
      counts.set(id, count);
      wake(id);
    }
  };
  return {
    tell: wake,
    more: (id, known, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const all = waiting.get(id) ?? new Set();
        waiting.set(id, all.add(resolve));
        if (!counts.has(id)) counts.set(id, known);
        signal.addEventListener("abort", () => {
          waiting.get(id)?.delete(resolve);
          resolve();
        }, { once: true });
        timer ??= setInterval(() => void look(), LOOK);
      }),
  };
}
