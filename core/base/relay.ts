/**
 * Items from a place that makes them to one that takes them, of which no more than one waits.
 * @module
 */

/** Hands items over. */
export interface Relay<T> {
  /** Waits until the item was taken, or nobody takes any more. */
  push(item: T): Promise<void>;
  /** No item follows; with an error the taker is told of it in their place. */
  end(failure?: Readonly<{ error: unknown }>): void;
  /** Nobody takes any more. */
  close(): void;
  readonly items: AsyncIterable<T>;
}

/** A relay without items. */
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
