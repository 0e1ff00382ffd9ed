/** Rows of a reported split on their way to the loggers that want every one, while they are answered. */
import { createRelay } from "../../base/relay.ts";
import type { Example } from "../../types.ts";

/** Takes the rows of a task as they come. */
export type RowTaker = (task: string, rows: AsyncIterable<Example>) => Promise<void>;

/** Rows that are told while a task is evaluated. */
export type ToldRows = Readonly<{
  tell(rows: readonly Example[]): Promise<void>;
  /** Waits until all are taken; throws what a taker threw. */
  end(): Promise<void>;
  /** The evaluation broke off. */
  fail(error: unknown): Promise<void>;
}>;

/** Opens a task's way to each taker. */
function tellRows(takers: readonly RowTaker[], task: string): ToldRows {
  const ways = takers.map((take) => {
    const relay = createRelay<Example>();
    const taken = take(task, relay.items).finally(relay.close);
    taken.catch(() => {});
    return { relay, taken };
  });
  const all = ways.map(({ taken }) => taken);
  return {
    tell: async (rows) => {
      for (const row of rows) await Promise.all(ways.map(({ relay }) => relay.push(row)));
    },
    end: async () => {
      for (const { relay } of ways) relay.end();
      await Promise.all(all);
    },
    fail: async (error) => {
      for (const { relay } of ways) relay.end({ error });
      await Promise.allSettled(all);
    },
  };
}

/** Does some work that tells a task's rows; without takers it has nobody to tell. */
export async function tellingRows<T>(
  takers: readonly RowTaker[],
  task: string,
  work: (told?: ToldRows) => Promise<T>,
): Promise<T> {
  if (takers.length === 0) return await work();
  const told = tellRows(takers, task);
  try {
    const result = await work(told);
    await told.end();
    return result;
  } catch (error) {
    await told.fail(error);
    throw error;
  }
}
