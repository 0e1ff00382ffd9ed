/** Progress events of long work. */
import type { Host, TrainingEvent } from "../../types.ts";

/** Reports progress: `done` of `total`. Awaiting it lets other tasks run. */
export type Tell = (what: string, done: number, total: number) => Promise<void>;

/** Minimum milliseconds between two events. */
const EVERY = 500;

/**
 * Yields the progress events of `work` and returns its result. Quick work yields none; other work also reports its end.
 */
export async function* tellingOf<T>(
  { clock }: Pick<Host, "clock">,
  work: (tell: Tell) => Promise<T>,
): AsyncGenerator<TrainingEvent, T, void> {
  const waiting: TrainingEvent[] = [];
  let wake = (): void => {};
  let [working, last] = [true, clock.now()];
  const begun = new Set<string>();
  const tell: Tell = async (what, done, total) => {
    const now = clock.now();
    if (now - last < EVERY && !(done >= total && begun.has(what))) return;
    last = now;
    begun.add(what);
    waiting.push({ type: "progress", step: 0, epoch: 0, what, done, total });
    wake();
    await clock.sleep(0);
  };
  const result = work(tell).finally(() => {
    working = false;
    wake();
  });
  // The error is thrown by the `await` at the end; this only avoids an unhandled rejection.
  result.catch(() => {});
  while (working || waiting.length > 0) {
    if (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    yield* waiting.splice(0);
  }
  return await result;
}
