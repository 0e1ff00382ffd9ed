/** Writing a growing object to a store from a place that cannot wait. */
import { joinBytes } from "../../core/base/bytes.ts";
import type { Store } from "../../core/types.ts";

/** Takes bytes at once and writes them in order. */
export interface AppendQueue {
  append(bytes: Uint8Array): void;
  /** Replaces the object's bytes. */
  replace(bytes: Uint8Array): void;
  /** Waits for everything to be on disk; throws what the store threw. */
  flush(): Promise<void>;
  /** Waits for everything to be written; throws what the store threw. After a failure nothing more is written. */
  close(): Promise<void>;
}

/** Where a store only replaces, the object is written again after it has grown by this part, and at the end. */
const GROWTH = 1 / 8;

/**
 * A queue onto one object. Where the store appends, each write goes out at once, and a crash loses nothing that was handed
 * over; where it does not, the object is kept in memory and written as a whole now and then.
 */
export function appendQueue(store: Store, key: string): AppendQueue {
  let chunks: Uint8Array[] = [];
  let replacing = false;
  // Where the store only replaces: all of the object, and how much of it the store lacks.
  let contents: Uint8Array[] = [];
  let [size, unwritten] = [0, 0];
  let running: Promise<void> | undefined;
  let [flushing, unsynced] = [false, false];
  let failure: { error: unknown } | undefined;

  const write = async (): Promise<void> => {
    while (chunks.length > 0 || replacing || unwritten > 0) {
      const bytes = joinBytes(chunks);
      const fresh = replacing;
      [chunks, replacing] = [[], false];
      if (store.append) {
        if (fresh) await store.put(key, bytes);
        else await store.append(key, bytes);
        unsynced = true;
        continue;
      }
      if (fresh) [contents, size, unwritten] = [[], 0, 0];
      contents.push(bytes);
      size += bytes.length;
      unwritten += bytes.length;
      if (!flushing && !fresh && unwritten < GROWTH * size) return;
      contents = [joinBytes(contents)];
      if (contents[0]) await store.put(key, contents[0]);
      unwritten = 0;
    }
  };
  const start = (): void => {
    if (running || failure) return;
    running = write().catch((error: unknown) => {
      failure = { error };
    }).finally(() => {
      running = undefined;
      if (chunks.length > 0 || replacing) start();
    });
  };
  const settle = async (): Promise<void> => {
    while (running) await running;
    flushing = true;
    start();
    while (running) await running;
    flushing = false;
    if (failure) throw failure.error;
  };
  return {
    append: (bytes) => {
      if (failure) return;
      chunks.push(bytes);
      start();
    },
    replace: (bytes) => {
      if (failure) return;
      [chunks, replacing] = [[bytes], true];
      start();
    },
    flush: async () => {
      await settle();
      if (unsynced) await store.append?.(key, new Uint8Array(), { sync: true });
      unsynced = false;
    },
    close: settle,
  };
}
