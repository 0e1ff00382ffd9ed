/** Writes to a growing object in a store, for callers that cannot wait. */
import { joinBytes } from "../../core/base/bytes.ts";
import type { Store } from "../../core/types.ts";

/** Accepts bytes synchronously and writes them in order. */
export interface AppendQueue {
  append(bytes: Uint8Array): void;
  /** Replaces the object's bytes. */
  replace(bytes: Uint8Array): void;
  /** Waits until everything is on disk; rethrows errors of the store. */
  flush(): Promise<void>;
  /** Waits until everything is written; rethrows errors of the store. Nothing more is written after an error. */
  close(): Promise<void>;
}

/** A store without appending gets the whole object again when it has grown by this share, and at the end. */
const GROWTH = 1 / 8;

/**
 * Returns a queue of writes to one object. If the store can append, each write goes out at once, and a crash loses
 * nothing that was accepted; else the object is kept in memory and written as a whole now and then.
 */
export function appendQueue(store: Store, key: string): AppendQueue {
  let chunks: Uint8Array[] = [];
  let replacing = false;
  // If the store can only replace: the whole object, and how much of it the store lacks.
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
