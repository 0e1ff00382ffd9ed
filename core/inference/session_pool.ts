/** A pool of open sessions, keyed by what they compute. */

/** Open sessions. Callers must ensure that no other call or use of a session happens at the same time. */
export type SessionPool<S> = Readonly<{
  readonly size: number;
  /** Returns the session of a key, opening it if there is none. */
  use(key: string, open: () => Promise<S>): Promise<S>;
  /** Closes the sessions whose keys pass a test. */
  close(test: (key: string) => boolean): Promise<void>;
}>;

/** Creates a pool of at most `maxSessions` sessions; the least recently used one is closed to make room. */
export function createSessionPool<S extends Readonly<{ close(): Promise<void> }>>(maxSessions: number): SessionPool<S> {
  // In order of use, the most recently used session last.
  const sessions = new Map<string, S>();
  const close = async (key: string): Promise<void> => {
    const session = sessions.get(key);
    sessions.delete(key);
    await session?.close();
  };
  return {
    get size() {
      return sessions.size;
    },
    use: async (key, open) => {
      const before = sessions.get(key);
      sessions.delete(key);
      while (!before && sessions.size >= maxSessions) {
        const [oldest] = sessions.keys();
        if (oldest === undefined) break;
        await close(oldest);
      }
      const session = before ?? await open();
      sessions.set(key, session);
      return session;
    },
    close: async (test) => {
      for (const key of [...sessions.keys()]) if (test(key)) await close(key);
    },
  };
}
