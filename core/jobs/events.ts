/** Events of jobs, numbered without gaps, in pieces that are each written once. */
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

/** Events as they are handed in. `step`: of an event that comes once for each step, whoever computes it. */
export type NewEvent = Omit<JobEvent, "number"> & Readonly<{ step?: number }>;

/** Who says something: a lease and its own count, so that what is sent twice is heard once. */
export type Producer = Readonly<{ token: number; from: number }>;

/** Events of one job. */
export interface JobEvents {
  append(events: readonly NewEvent[], speaker?: Producer): Promise<void>;
  /** Those behind a number. */
  after(number: number): AsyncIterable<JobEvent>;
  /** How many there are. */
  count(): Promise<number>;
}

/** One object: `first` is the number of its first event. `heard`: up to which of its own count a lease was heard. */
type Piece = Readonly<{ first: number; events: readonly JobEvent[]; heard?: Producer; step: number }>;

/** How often a piece is tried for that another has made and nobody can read. */
const TRIES = 20;

/** The events below a prefix. Several writers may append at once. `sealed`: the store's values. */
export function eventsIn(store: Store, prefix: string, sealed: Sealed = sealStore(store)): JobEvents {
  const keyOf = (first: number): string => `${prefix}${String(first).padStart(10, "0")}.json`;
  const read = async (first: number): Promise<Piece | undefined> => (await sealed.tryRead<Piece>(keyOf(first)))?.value;
  // First numbers of the pieces that are known, and the newest; another writer's are found when putting collides.
  let firsts: number[] | undefined;
  let tail: Piece | undefined;
  const newest = async (): Promise<Piece | undefined> => {
    if (!firsts) {
      const all: number[] = [];
      for await (const key of keysBelow(store, prefix)) all.push(Number(key.slice(prefix.length, prefix.length + 10)));
      firsts ??= all;
    }
    // One that was damaged has gone: the log goes on behind the piece before it.
    while (!tail && firsts.length > 0) {
      const last = firsts.at(-1) ?? 0;
      tail = await read(last);
      if (!tail && firsts.at(-1) === last) firsts.pop();
    }
    for (let next = await read(tail ? countBehind(tail) : 1); next; next = await read(countBehind(next))) {
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
        // The next look finds it, or the one that was there first.
        if (await sealed.write(keyOf(piece.first), piece, { if: null }) !== "conflict") return;
        if (piece.first !== first) [first, tries] = [piece.first, 0];
        // Where something is that can neither be read nor moved, nothing can follow it.
        else if (tries > TRIES) throw storeFailed("jobs", keyOf(first), "part of it cannot be read");
      }
    },
    after: async function* (number) {
      await newest();
      // Pieces are named by their first number: the last that begins before may reach beyond what was asked for.
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
      return last ? countBehind(last) - 1 : 0;
    },
  };
}

/** The piece behind another that has what is new of what is said; undefined if nothing is. */
function pieceOf(
  last: Piece | undefined,
  incoming: readonly NewEvent[],
  speaker: Producer | undefined,
): Piece | undefined {
  const heard = speaker && last?.heard?.token === speaker.token ? last.heard.from : 0;
  if (speaker && (last?.heard?.token ?? 0) > speaker.token) return undefined;
  const fresh = incoming.filter((_, i) => !speaker || speaker.from + i > heard);
  const first = last ? countBehind(last) : 1;
  let step = last?.step ?? 0;
  const events: JobEvent[] = [];
  for (const { step: eventStep, ...event } of fresh) {
    // A run that goes on from a checkpoint comes by the same steps again.
    if (eventStep !== undefined && eventStep <= step) continue;
    step = eventStep ?? step;
    events.push({ ...event, number: first + events.length });
  }
  if (events.length === 0) return undefined;
  const now = speaker && { token: speaker.token, from: speaker.from + incoming.length - 1 };
  const says = now ?? last?.heard;
  return { first, events, step, ...(says ? { heard: says } : {}) };
}

function countBehind({ first, events }: Piece): number {
  return first + events.length;
}
