/**
 * What jobs tell: events with gapless numbers, in pieces that are each written once.
 * @module
 */
import { jsonBytes, jsonIn } from "../bytes.ts";
import { badFile } from "../errors.ts";
import type { Json, Named, Store } from "../types.ts";

/** One event of a job; `number` counts from 1 without gaps. */
export type JobEvent = Readonly<{
  number: number;
  at: number;
  level: "info" | "warn" | "error";
  type: "message" | "metrics";
  message: string;
  data?: Named<Json>;
}>;

/** Events as they are handed in. `step`: of an event that comes once for each step, whoever computes it. */
export type NewEvent = Omit<JobEvent, "number"> & Readonly<{ step?: number }>;

/** Who says something: a lease and its own count, so that what is sent twice is heard once. */
export type Speaker = Readonly<{ token: number; from: number }>;

/** Events of one job. */
export interface JobEvents {
  append(events: readonly NewEvent[], speaker?: Speaker): Promise<void>;
  /** Those behind a number. */
  after(number: number): AsyncIterable<JobEvent>;
  /** How many there are. */
  count(): Promise<number>;
}

/** One object: `first` is the number of its first event. `heard`: up to which of its own count a lease was heard. */
type Piece = Readonly<{ first: number; events: readonly JobEvent[]; heard?: Speaker; step: number }>;

/** The events below a prefix. Several writers may append at once. */
export function eventsIn(store: Store, prefix: string): JobEvents {
  const keyOf = (first: number): string => `${prefix}${String(first).padStart(10, "0")}.json`;
  // The newest piece that was seen; another writer's are found when putting collides.
  let tail: Piece | undefined;
  const read = async (key: string): Promise<Piece> => {
    const found = await store.get(key);
    if (!found) throw badFile("jobs", key, "is missing");
    return jsonIn(found.bytes);
  };
  const newest = async (): Promise<Piece | undefined> => {
    let next = tail && await store.get(keyOf(behind(tail)));
    if (!tail) {
      let last: string | undefined;
      for await (const { key } of store.list(prefix)) last = key;
      if (last !== undefined) tail = await read(last);
      return tail;
    }
    while (next) {
      tail = jsonIn<Piece>(next.bytes);
      next = await store.get(keyOf(behind(tail)));
    }
    return tail;
  };
  return {
    append: async (given, speaker) => {
      while (true) {
        const last = await newest();
        const heard = speaker && last?.heard?.token === speaker.token ? last.heard.from : 0;
        if (speaker && (last?.heard?.token ?? 0) > speaker.token) return;
        const fresh = given.filter((_, i) => !speaker || speaker.from + i > heard);
        if (fresh.length === 0) return;
        const first = last ? behind(last) : 1;
        let step = last?.step ?? 0;
        const events: JobEvent[] = [];
        for (const { step: own, ...event } of fresh) {
          // A run that goes on from a checkpoint comes by the same steps again.
          if (own !== undefined && own <= step) continue;
          step = own ?? step;
          events.push({ ...event, number: first + events.length });
        }
        if (events.length === 0) return;
        const piece: Piece = {
          first,
          events,
          step,
          ...(speaker
            ? { heard: { token: speaker.token, from: speaker.from + given.length - 1 } }
            : last?.heard
            ? { heard: last.heard }
            : {}),
        };
        const bytes = jsonBytes(piece);
        if (await store.put(keyOf(first), bytes, { if: null }) !== "conflict") {
          tail = piece;
          return;
        }
      }
    },
    after: async function* (number) {
      // Pieces are named by their first number: the one before may reach beyond what was asked for.
      let before: string | undefined;
      const due: string[] = [];
      for await (const { key } of store.list(prefix)) {
        const first = Number(key.slice(prefix.length, prefix.length + 10));
        if (first > number) due.push(key);
        else before = key;
      }
      for (const key of before === undefined ? due : [before, ...due]) {
        for (const event of (await read(key)).events) if (event.number > number) yield event;
      }
    },
    count: async () => {
      const last = await newest();
      return last ? behind(last) - 1 : 0;
    },
  };
}

function behind({ first, events }: Piece): number {
  return first + events.length;
}
