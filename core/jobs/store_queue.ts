/**
 * A queue over any store that can make an object only if there is none: one object for each id, and beside it one for
 * each time that it was taken. All of them are written once.
 *
 * Whoever takes an id makes the next number of it. How long others leave it alone, each of them measures for itself, from
 * when it has first seen that number: no time of the day is kept, and no clock that is set back hides an id.
 */
import { keysBelow } from "../files/store_key.ts";
import type { Delivery, OpenQueue, Store } from "../types.ts";
import { isUnreadable, seal, setAside, unseal } from "./sealed.ts";

/** Nobody may hide an id for longer than this, whatever is written there. */
const MOST_SECONDS = 3600;

/** An id and the number of the last time that it was taken. */
type Entry = { hint: boolean; takes: number };

const hintOf = (id: string): string => `queue/${id}.json`;
const takenOf = (id: string, number: number): string => `queue/${id}.${number}`;

/** Every id of a queue. */
async function readEntries(store: Store): Promise<Map<string, Entry>> {
  const all = new Map<string, Entry>();
  for await (const key of keysBelow(store, "queue/")) {
    const [, id = "", end = ""] = /^queue\/([^.]+)\.(json|\d+)$/.exec(key) ?? [];
    if (id === "") continue;
    const { hint, takes } = all.get(id) ?? { hint: false, takes: 0 };
    all.set(id, end === "json" ? { hint: true, takes } : { hint, takes: Math.max(takes, Number(end)) });
  }
  return all;
}

/** Whether a hint is there and can be read; one that is damaged is moved aside. */
async function isIntact(store: Store, id: string): Promise<boolean> {
  try {
    const hint = await store.get(hintOf(id));
    if (!hint || unseal(hint.bytes)) return hint !== undefined;
    await setAside(store, hint);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
  }
  return false;
}

/** What was seen of those who have taken ids, and when first. */
type Claims = Readonly<{
  note(id: string, number: number, revision: string, seconds: number): void;
  /** Whether an id that was taken is still somebody's. */
  isCurrent(id: string, number: number): Promise<boolean>;
  /** Forgets ids that are no longer there. */
  keepOnly(ids: ReadonlyMap<string, unknown>): void;
}>;

function createClaims(store: Store, now: () => number): Claims {
  const claimsSeen = new Map<string, { revision: string; since: number; seconds: number }>();
  const note: Claims["note"] = (id, number, revision, seconds) =>
    void claimsSeen.set(id, { revision: `${number} ${revision}`, since: now(), seconds });
  return {
    note,
    isCurrent: async (id, number) => {
      const claim = await store.get(takenOf(id, number));
      if (!claim) return false;
      const before = claimsSeen.get(id);
      if (before?.revision === `${number} ${claim.revision}`) return now() - before.since <= 1000 * before.seconds;
      const { seconds = 0 } = unseal<{ seconds: number }>(claim.bytes)?.value ?? {};
      note(id, number, claim.revision, Math.min(seconds, MOST_SECONDS));
      return true;
    },
    keepOnly: (ids) => {
      for (const id of claimsSeen.keys()) if (!ids.has(id)) claimsSeen.delete(id);
    },
  };
}

/** An id that was taken for the time `number`, as whoever took it gives it back. */
async function openDelivery(store: Store, id: string, number: number): Promise<Delivery | undefined> {
  const release = async (): Promise<void> => {
    await store.delete(takenOf(id, number));
    if (number > 1) await store.delete(takenOf(id, number - 1));
  };
  /** Whether nobody has taken it since. */
  const isMine = async (): Promise<boolean> =>
    await store.get(takenOf(id, number + 1), { offset: 0, length: 0 }) === undefined;
  if (!await isIntact(store, id)) {
    await release();
    return undefined;
  }
  return {
    id,
    ack: async () => {
      if (!await isMine()) return;
      await store.delete(hintOf(id));
      await release();
    },
    nack: async () => {
      if (await isMine()) await release();
    },
  };
}

/** A queue whose entries are objects below `queue/`. `now`: milliseconds of a clock that only goes forward, this process's. */
export function storeQueue(store: Store, now: () => number): OpenQueue {
  const claims = createClaims(store, now);
  const names = new Set<string>();
  let last = "";
  const take = async (id: string, before: number, seconds: number): Promise<Delivery | undefined> => {
    const number = before + 1;
    const result = await store.put(takenOf(id, number), seal({ seconds }), { if: null });
    if (result === "conflict") return undefined;
    claims.note(id, number, result.revision, seconds);
    return await openDelivery(store, id, number);
  };
  return {
    push: async (id) => {
      const result = await store.put(hintOf(id), seal({ id }), { if: null });
      if (result === "conflict" && !await isIntact(store, id)) await store.put(hintOf(id), seal({ id }), { if: null });
    },
    ids: async () => {
      const all = await readEntries(store);
      const ids = new Set<string>();
      for (const [id, { hint, takes }] of all) {
        // Who has died at work has left that it had taken what is over by now.
        if (!hint) await store.delete(takenOf(id, takes));
        if (!hint) continue;
        // Each is looked at once: one that is damaged is as if it were not there.
        if (!names.has(id) && !await isIntact(store, id)) continue;
        names.add(id);
        ids.add(id);
      }
      for (const id of names) if (!ids.has(id)) names.delete(id);
      return ids;
    },
    pull: async (seconds, accepts = () => true) => {
      const all = await readEntries(store);
      claims.keepOnly(all);
      const ids = [...all.keys()].filter((id) => all.get(id)?.hint);
      // Each look begins where the one before has ended, so that what nobody here can do hides nothing behind it.
      const from = ids.findIndex((id) => id > last);
      for (const id of from < 0 ? ids : [...ids.slice(from), ...ids.slice(0, from)]) {
        const { takes = 0 } = all.get(id) ?? {};
        if (!accepts(id)) continue;
        try {
          if (takes > 0 && await claims.isCurrent(id, takes)) continue;
          last = id;
          const hint = await take(id, takes, seconds);
          if (hint) return hint;
        } catch (error) {
          // One that the disk cannot read hides no other.
          if (!isUnreadable(error)) throw error;
        }
      }
      return undefined;
    },
    close: async () => {},
  };
}
