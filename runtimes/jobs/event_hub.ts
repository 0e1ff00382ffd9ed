/** Waiting for jobs' events, with one check of the store for all requests that wait. */
import type { Jobs } from "../../core/jobs/jobs.ts";

/** Wakes requests that wait for events. */
export interface EventHub {
  /** Announces that this process has added an event to a job. */
  notify(id: string): void;
  /** Resolves when a job may have more than `known` events, or the signal is aborted. */
  more(id: string, known: number, signal: AbortSignal): Promise<void>;
}

/** How often the store is checked for events of other processes, in milliseconds. */
const POLL_MS = 1000;

/** Returns a hub over jobs. `alone`: requests cannot wake each other here, so each checks the store itself. */
export function eventHub(jobs: Jobs, alone = false): EventHub {
  if (alone) {
    const more = (_id: string, _known: number, signal: AbortSignal): Promise<void> =>
      new Promise((resolve) => {
        if (!signal.aborted) setTimeout(resolve, POLL_MS);
        else resolve();
      });
    return { notify: () => {}, more };
  }
  const waiting = new Map<string, Set<() => void>>();
  const counts = new Map<string, number>();
  let timer: ReturnType<typeof setInterval> | undefined;
  const wake = (id: string): void => {
    for (const resolve of waiting.get(id) ?? []) resolve();
  };
  const look = async (): Promise<void> => {
    for (const id of [...waiting.keys()]) {
      const count = await jobs.events(id).count().catch(() => undefined);
      if (count === undefined || count === counts.get(id)) continue;
      counts.set(id, count);
      wake(id);
    }
  };
  const leave = (id: string, resolve: () => void): void => {
    const all = waiting.get(id);
    all?.delete(resolve);
    if (all?.size === 0) waiting.delete(id);
    if (waiting.size > 0) return;
    clearInterval(timer);
    timer = undefined;
    counts.clear();
  };
  return {
    notify: wake,
    more: (id, known, signal) =>
      new Promise((resolve) => {
        const finish = (): void => {
          signal.removeEventListener("abort", finish);
          leave(id, finish);
          resolve();
        };
        if (signal.aborted) return resolve();
        signal.addEventListener("abort", finish);
        waiting.set(id, (waiting.get(id) ?? new Set()).add(finish));
        if (!counts.has(id)) counts.set(id, known);
        timer ??= setInterval(() => void look().catch(() => {}), POLL_MS);
      }),
  };
}
