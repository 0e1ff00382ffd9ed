/** What a run tells while it is still busy with something. */
import type { Host, TrainingEvent } from "../../types.ts";

/** Is told of how far something is: so many of `total`. To wait for it lets others have a turn. */
export type Tell = (what: string, done: number, total: number) => Promise<void>;

/** Milliseconds between two events. */
const EVERY = 500;

/**
 * The events of some work, as they come, and what comes of it. Work that is quick tells nothing; of other work the end is
 * told, too.
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
  // It is thrown where it is waited for.
  result.catch(() => {});
  while (working || waiting.length > 0) {
    if (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    yield* waiting.splice(0);
  }
  return await result;
}
