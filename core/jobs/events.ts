/** Events of jobs, numbered without gaps, stored in pieces that are each written once. */
import { storeFailed } from "../base/errors.ts";
import { keysBelow } from "../files/store_key.ts";
import type { Json, Named, Store } from "../types.ts";
import { type Sealed, sealStore } from "./sealed.ts";

/** One event of a job; `number` counts from 1 without gaps. */
export type JobEvent = Readonly<{
  number: number;
  at: number;
  level: "info" | "warn" | "error";
  type: "message" | "metrics";
  message: string;
  data?: Named<Json>;
}>;

/** An event before it is numbered. `step`: only one event is kept for each step, even if a step is computed again. */
export type NewEvent = Omit<JobEvent, "number"> & Readonly<{ step?: number }>;

/** The producer of events: a lease's token, and its own count of events, so that repeated ones are stored once. */
export type Producer = Readonly<{ token: number; from: number }>;

/** Events of one job. */
export interface JobEvents {
  append(events: readonly NewEvent[], speaker?: Producer): Promise<void>;
  /** Yields the events after a number. */
  after(number: number): AsyncIterable<JobEvent>;
  /** Returns the number of events. */
  count(): Promise<number>;
}

/** A stored piece. `first`: number of its first event; `heard`: the last event of a producer's own count so far. */
type Piece = Readonly<{ first: number; events: readonly JobEvent[]; heard?: Producer; step: number }>;

/** Number of attempts to write a piece under a key that an unreadable piece already has. */
const TRIES = 20;

/** Returns the events below a key prefix; several writers may append at once. `sealed`: the store's sealed values. */
export function eventsIn(store: Store, prefix: string, sealed: Sealed = sealStore(store)): JobEvents {
  const keyOf = (first: number): string => `${prefix}${String(first).padStart(10, "0")}.json`;
  const read = async (first: number): Promise<Piece | undefined> => (await sealed.tryRead<Piece>(keyOf(first)))?.value;
  // First numbers of the known pieces, and the newest piece. Pieces of other writers are found when writes conflict.
  let firsts: number[] | undefined;
  let tail: Piece | undefined;
  const newest = async (): Promise<Piece | undefined> => {
    if (!firsts) {
      const all: number[] = [];
      for await (const key of keysBelow(store, prefix)) all.push(Number(key.slice(prefix.length, prefix.length + 10)));
      firsts ??= all;
    }
    // A damaged piece is gone, so the log continues after the piece before it.
    while (!tail && firsts.length > 0) {
      const last = firsts.at(-1) ?? 0;
      tail = await read(last);
      if (!tail && firsts.at(-1) === last) firsts.pop();
    }
    for (let next = await read(tail ? nextNumber(tail) : 1); next; next = await read(nextNumber(next))) {
      if (next.first > (firsts.at(-1) ?? 0)) firsts.push(next.first);
      if (next.first >= (tail?.first ?? 0)) tail = next;
    }
    return tail;
  };
  return {
    append: async (events, speaker) => {
      for (let [first, tries] = [0, 0];; tries++) {
        const piece = pieceOf(await newest(), events, speaker);
        if (!piece) return;
        // On a conflict, the next attempt finds the piece that was there first.
        if (await sealed.write(keyOf(piece.first), piece, { if: null }) !== "conflict") return;
        if (piece.first !== first) [first, tries] = [piece.first, 0];
        // Nothing can follow a piece that can neither be read nor moved aside.
        else if (tries > TRIES) throw storeFailed("jobs", keyOf(first), "part of it cannot be read");
      }
    },
    after: async function* (number) {
      await newest();
      // Pieces are named by their first number, so the last piece starting at or before `number` may contain later
      // events.
      const all = firsts ?? [];
      let from = all.length;
      while (from > 0 && (all[from - 1] ?? 0) > number) from--;
      for (const first of all.slice(Math.max(0, from - 1))) {
        const piece = first === tail?.first ? tail : await read(first);
        for (const event of piece?.events ?? []) if (event.number > number) yield event;
      }
    },
    count: async () => {
      const last = await newest();
      return last ? nextNumber(last) - 1 : 0;
    },
  };
}

/** Returns the piece that follows `last` with the new ones of the incoming events; undefined if none is new. */
function pieceOf(
  last: Piece | undefined,
  incoming: readonly NewEvent[],
  speaker: Producer | undefined,
): Piece | undefined {
  const heard = speaker && last?.heard?.token === speaker.token ? last.heard.from : 0;
  if (speaker && (last?.heard?.token ?? 0) > speaker.token) return undefined;
  const fresh = incoming.filter((_, i) => !speaker || speaker.from + i > heard);
  const first = last ? nextNumber(last) : 1;
  let step = last?.step ?? 0;
  const events: JobEvent[] = [];
  for (const { step: eventStep, ...event } of fresh) {
    // A run that resumes from a checkpoint repeats some steps.
    if (eventStep !== undefined && eventStep <= step) continue;
    step = eventStep ?? step;
    events.push({ ...event, number: first + events.length });
  }
  if (events.length === 0) return undefined;
  const now = speaker && { token: speaker.token, from: speaker.from + incoming.length - 1 };
  const says = now ?? last?.heard;
  return { first, events, step, ...(says ? { heard: says } : {}) };
}

function nextNumber({ first, events }: Piece): number {
  return first + events.length;
}
