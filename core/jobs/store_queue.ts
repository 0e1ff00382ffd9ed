/**
 * A queue over any store with conditional creation: one object for each id, and one more for each time that the id is
 * taken. Each object is written once.
 *
 * A consumer takes an id by creating the object with its next number. Others leave the id alone for the given seconds,
 * which each of them measures from when it first saw that number: no wall-clock time is stored, so a clock that is set
 * back cannot hide an id.
 */
import { keysBelow } from "../files/store_key.ts";
import type { Delivery, OpenQueue, Store } from "../types.ts";
import { isUnreadable, seal, setAside, unseal } from "./sealed.ts";

/** Maximum seconds that an id can be hidden, whatever its object says. */
const MOST_SECONDS = 3600;

/** State of an id: whether it is in the queue, and how often it was taken. */
type Entry = { hint: boolean; takes: number };

const hintOf = (id: string): string => `queue/${id}.json`;
const takenOf = (id: string, number: number): string => `queue/${id}.${number}`;

/** Reads the state of every id of a queue. */
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

/** Whether an id's object exists and can be read; a damaged one is moved aside. */
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

/** Claims on ids by consumers, with the time at which this process first saw each. */
type Claims = Readonly<{
  note(id: string, number: number, revision: string, seconds: number): void;
  /** Whether a claim on an id is still valid. */
  isCurrent(id: string, number: number): Promise<boolean>;
  /** Forgets ids that are no longer in the queue. */
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

/** Creates the delivery of an id that was taken as `number`; undefined if its object is missing or damaged. */
async function openDelivery(store: Store, id: string, number: number): Promise<Delivery | undefined> {
  const release = async (): Promise<void> => {
    await store.delete(takenOf(id, number));
    if (number > 1) await store.delete(takenOf(id, number - 1));
  };
  /** Whether no other consumer has taken the id since. */
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

/** Creates a queue of objects below `queue/`. `now`: returns milliseconds of this process's monotonic clock. */
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
        // A consumer that died may leave its claim on an id that has been removed since.
        if (!hint) await store.delete(takenOf(id, takes));
        if (!hint) continue;
        // Each id is checked once; a damaged one counts as missing.
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
      // Each pull starts after the last one, so that ids which no runner here accepts do not hide the ids after them.
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
          // An id that the disk cannot read must not hide others.
          if (!isUnreadable(error)) throw error;
        }
      }
      return undefined;
    },
    close: async () => {},
  };
}
