/** Sessions that are kept open by what they compute. */

/** Open sessions. Whoever calls this sees to it that nobody else does, or uses one, at the same time. */
export type SessionPool<S> = Readonly<{
  readonly size: number;
  /** The session of a key, opened where there is none. */
  use(key: string, open: () => Promise<S>): Promise<S>;
  /** Closes those whose keys pass a test. */
  close(test: (key: string) => boolean): Promise<void>;
}>;

/** A pool of at most so many sessions: the one that was not used the longest makes room for another. */
export function createSessionPool<S extends Readonly<{ close(): Promise<void> }>>(maxSessions: number): SessionPool<S> {
  // The one that was used last is the last.
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
