/**
 * A handover of items from a producer to a consumer, without buffering: the producer waits for each item to be taken.
 * @module
 */

/** Hands items from a producer to a consumer. */
export interface Relay<T> {
  /** Hands over an item; waits until it has been taken or the relay is closed. */
  push(item: T): Promise<void>;
  /** Ends the items; with a failure, the consumer's iteration throws it. */
  end(failure?: Readonly<{ error: unknown }>): void;
  /** Closes the relay for the consumer: later items are dropped. */
  close(): void;
  readonly items: AsyncIterable<T>;
}

/** Creates an empty relay. */
export function createRelay<T>(): Relay<T> {
  const waiting: T[] = [];
  let [ended, closed] = [false, false];
  let failed: Readonly<{ error: unknown }> | undefined;
  let [wake, taken] = [() => {}, () => {}];
  const close = (): void => {
    closed = true;
    taken();
  };
  const take = async function* (): AsyncGenerator<T> {
    try {
      for (;;) {
        while (waiting.length === 0 && !ended) await new Promise<void>((resolve) => (wake = resolve));
        if (failed) throw failed.error;
        if (waiting.length === 0) return;
        yield waiting.shift() as T;
        taken();
      }
    } finally {
      close();
    }
  };
  return {
    push: async (item) => {
      if (closed) return;
      waiting.push(item);
      wake();
      await new Promise<void>((resolve) => (taken = resolve));
    },
    end: (failure) => {
      [ended, failed] = [true, failure];
      wake();
    },
    close,
    items: take(),
  };
}
