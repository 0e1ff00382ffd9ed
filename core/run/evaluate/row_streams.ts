/** Streams of answered rows to the loggers that record all rows of a split, while the split is evaluated. */
import { createRelay } from "../../base/relay.ts";
import type { Example } from "../../types.ts";

/** Reads the answered rows of a task as they come. */
export type RowConsumer = (task: string, rows: AsyncIterable<Example>) => Promise<void>;

/** The streams of one task, one for each consumer. */
export type RowStreams = Readonly<{
  /** Resolves once every consumer has taken the rows, so that none wait in memory. */
  push(rows: readonly Example[]): Promise<void>;
  /** Ends the streams and waits for the consumers; throws what a consumer threw. */
  end(): Promise<void>;
  /** Ends the streams with the error that ended the evaluation. */
  fail(error: unknown): Promise<void>;
}>;

function openRowStreams(consumers: readonly RowConsumer[], task: string): RowStreams {
  const streams = consumers.map((consume) => {
    const relay = createRelay<Example>();
    const consumed = consume(task, relay.items).finally(relay.close);
    consumed.catch(() => {});
    return { relay, consumed };
  });
  const all = streams.map(({ consumed }) => consumed);
  return {
    push: async (rows) => {
      for (const row of rows) await Promise.all(streams.map(({ relay }) => relay.push(row)));
    },
    end: async () => {
      for (const { relay } of streams) relay.end();
      await Promise.all(all);
    },
    fail: async (error) => {
      for (const { relay } of streams) relay.end({ error });
      await Promise.allSettled(all);
    },
  };
}

/** Evaluates a task with streams to its consumers, and ends them; without consumers there are no streams. */
export async function withRowStreams<T>(
  consumers: readonly RowConsumer[],
  task: string,
  evaluate: (streams?: RowStreams) => Promise<T>,
): Promise<T> {
  if (consumers.length === 0) return await evaluate();
  const streams = openRowStreams(consumers, task);
  try {
    const result = await evaluate(streams);
    await streams.end();
    return result;
  } catch (error) {
    await streams.fail(error);
    throw error;
  }
}
