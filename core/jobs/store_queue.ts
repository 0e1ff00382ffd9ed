/**
 * A queue over any store that compares and sets: one object for each id.
 * @module
 */
import { jsonBytes, jsonIn } from "../bytes.ts";
import type { Hint, OpenQueue, Store } from "../types.ts";

/** A queue whose entries are objects below `queue/`. `now`: milliseconds that all users of the store agree on. */
export function storeQueue(store: Store, now: () => number): OpenQueue {
  const keyOf = (id: string): string => `queue/${id}.json`;
  return {
    // One that is there stays as it is, whoever holds it.
    push: async (id) => void await store.put(keyOf(id), jsonBytes({ until: 0 }), { if: null }),
    pull: async (seconds) => {
      for await (const { key } of store.list("queue/")) {
        const found = await store.get(key);
        if (!found || jsonIn<{ until: number }>(found.bytes).until > now()) continue;
        const taken = await store.put(key, jsonBytes({ until: now() + 1000 * seconds }), { if: found.revision });
        if (taken === "conflict") continue;
        const { revision } = taken;
        return {
          id: key.slice("queue/".length, -".json".length),
          done: async () => void await store.delete(key, { if: revision }),
          back: async () => void await store.put(key, jsonBytes({ until: 0 }), { if: revision }),
        } satisfies Hint;
      }
      return undefined;
    },
    close: async () => {},
  };
}
