/** Checks of queues. */
import { assert } from "./assert.ts";
import { type Check, check } from "./check.ts";
import type { Delivery, OpenQueue } from "../kit.ts";

/** A queue to test. `open` opens an empty queue, `shared` opens it again; `shortest`: least seconds of hiding an id. */
export type QueueUnderTest = Readonly<{
  open: () => Promise<{ queue: OpenQueue; shared?: () => Promise<OpenQueue> }>;
  shortest: number;
}>;

const sleep = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

/** Returns the delivery that reappears after its time is over, however late the queue notices. */
async function pullAgain(queue: OpenQueue, shortest: number, seconds: number): Promise<Delivery | undefined> {
  for (let looks = 0; looks < 100; looks++) {
    const hint = await queue.pull(seconds);
    if (hint) return hint;
    await sleep(shortest / 5);
  }
  return undefined;
}

/** Returns the checks of a queue. */
export function queueChecks({ open, shortest }: QueueUnderTest): readonly Check[] {
  const long = 60;
  const all = async (queue: OpenQueue, seconds = long): Promise<Delivery[]> => {
    const deliveries: Delivery[] = [];
    for (let hint = await queue.pull(seconds); hint; hint = await queue.pull(seconds)) deliveries.push(hint);
    return deliveries;
  };
  return [
    check("gives each id once, however often it was pushed", async () => {
      const { queue } = await open();
      assert.equal(await queue.pull(long), undefined);
      for (const id of ["ftjob-a", "ftjob-b", "ftjob-a"]) await queue.push(id);
      assert.deepEqual((await all(queue)).map((h) => h.id).sort(), ["ftjob-a", "ftjob-b"]);
      assert.equal(await queue.pull(long), undefined);
      await queue.close();
    }),
    check("forgets what is done, also when it is said twice", async () => {
      const { queue } = await open();
      for (let late = true; late;) {
        await queue.push("ftjob-a");
        const begun = performance.now();
        const hint = await queue.pull(shortest);
        await hint?.ack();
        await hint?.ack();
        late = performance.now() - begun > 1000 * shortest;
        await sleep(1.2 * shortest);
        const again = await queue.pull(long);
        // If the machine was so slow that the time was already over, the check is repeated.
        if (!late) assert.equal(again, undefined);
        await again?.ack();
      }
      await queue.push("ftjob-a");
      assert.equal((await queue.pull(long))?.id, "ftjob-a");
      await queue.close();
    }),
    check("gives back what is given back, and what nobody was heard of again", async () => {
      const { queue } = await open();
      await queue.push("ftjob-a");
      await (await queue.pull(long))?.nack();
      const again = await queue.pull(long);
      assert.equal(again?.id, "ftjob-a");
      assert.equal(await queue.pull(long), undefined);
      await again?.nack();
      assert.equal((await queue.pull(shortest))?.id, "ftjob-a");
      assert.equal((await pullAgain(queue, shortest, long))?.id, "ftjob-a");
      await queue.close();
    }),
    check("gives each of 40 ids to one of four who pull at once", async () => {
      const { queue, shared } = await open();
      const others = await Promise.all(Array.from({ length: 3 }, () => shared?.() ?? Promise.resolve(queue)));
      const ids = Array.from({ length: 40 }, (_, i) => `ftjob-${String(i).padStart(3, "0")}`);
      for (const id of ids) await queue.push(id);
      const taken: string[] = [];
      await Promise.all([queue, ...others].map(async (opened) => {
        for (let misses = 0; misses < 3;) {
          const hint = await opened.pull(long);
          if (!hint) misses++;
          else {
            taken.push(hint.id);
            await hint.ack();
          }
        }
      }));
      assert.deepEqual(taken.sort(), ids);
      for (const opened of new Set([queue, ...others])) await opened.close();
    }),
    check("does nothing for a hint that has come back to others", async () => {
      const { queue } = await open();
      await queue.push("ftjob-a");
      const late = await queue.pull(shortest);
      const now = await pullAgain(queue, shortest, long);
      assert.equal(now?.id, "ftjob-a");
      // The first consumer wakes up late: it may remove the entry at most, which the job records restore.
      await late?.nack();
      await late?.ack();
      await now?.ack();
      assert.equal(await queue.pull(long), undefined);
      await queue.close();
    }),
  ];
}
