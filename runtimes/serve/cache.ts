/** A cache of things that take long to open, limited in bytes: the least recently used entry is dropped first. */

/** How to open one thing. */
export type Opening<T> = Readonly<{
  /** Bytes that it will take, known before it is opened. */
  bytes: number;
  open(): Promise<T>;
}>;

/** A cache by key. */
export interface Cache<T> {
  /**
   * Calls `act` with the entry of a key, which is opened if necessary and stays open meanwhile. Callers at once for the
   * same key share one opening. `find` is only called if the entry is not open, and throws if it may not be opened.
   */
  use<R>(key: string, find: () => Promise<Opening<T>>, act: (value: T) => R | Promise<R>): Promise<R>;
  /** Returns the number of cached entries and their bytes. */
  size(): Readonly<{ entries: number; bytes: number }>;
}

type Entry<T> = { bytes: number; users: number; value: Promise<T> };

/** Creates an empty cache. `close` is called with dropped entries. */
export function boundedCache<T>(maxBytes: number, close: (value: T) => void | Promise<void> = () => {}): Cache<T> {
  const entries = new Map<string, Entry<T>>();
  let bytes = 0;
  const drop = (key: string, entry: Entry<T>): void => {
    if (entries.get(key) !== entry) return;
    entries.delete(key);
    bytes -= entry.bytes;
    void entry.value.then(close).catch(() => {});
  };
  const makeRoom = (): void => {
    for (const [key, entry] of entries) {
      if (bytes <= maxBytes) return;
      if (entry.users === 0) drop(key, entry);
    }
  };
  const opened = (key: string, find: () => Promise<Opening<T>>): Entry<T> => {
    const entry: Entry<T> = {
      bytes: 0,
      users: 0,
      value: find().then(async (opening) => {
        entry.bytes = opening.bytes;
        bytes += opening.bytes;
        makeRoom();
        return await opening.open();
      }),
    };
    entry.value.catch(() => drop(key, entry));
    return entry;
  };
  return {
    use: async (key, find, act) => {
      const entry = entries.get(key) ?? opened(key, find);
      // The last entry of the map is the most recently used.
      entries.delete(key);
      entries.set(key, entry);
      entry.users++;
      try {
        return await act(await entry.value);
      } finally {
        entry.users--;
        makeRoom();
      }
    },
    size: () => ({ entries: entries.size, bytes }),
  };
}
