/** Things that take long to open, kept within a bound of bytes: the one that was not used the longest goes first. */

/** How one thing is opened. */
export type Opening<T> = Readonly<{
  /** Bytes it will take, known before it is opened. */
  bytes: number;
  open(): Promise<T>;
}>;

/** A cache. */
export interface Cache<T> {
  /**
   * Does something with what has this key, opened where it is not; it stays while it is used. Several who ask for the
   * same at once wait for one opening. `find` is asked only if nothing is open, and throws where it may not be.
   */
  use<R>(key: string, find: () => Promise<Opening<T>>, act: (value: T) => R | Promise<R>): Promise<R>;
  /** The number of cached entries, and their bytes. */
  size(): Readonly<{ entries: number; bytes: number }>;
}

type Entry<T> = { bytes: number; users: number; value: Promise<T> };

/** An empty cache. `close` is told of what is let go. */
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
      // The last in the map is the one that was used last.
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
