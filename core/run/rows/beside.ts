/**
 * Encoding beside the training step: a run's own thread computes, and while it does nothing else happens on it. Where
 * encoding takes a share of the steps that is worth a thread, a thread does it.
 */
import type { EncoderThread, Row, Sample } from "../../types.ts";
import { unpackSamples } from "./packed_samples.ts";

/** Encodes the rows of steps to come. */
export type EncodingBeside = Readonly<{
  /**
   * The samples of some rows, which are encoded elsewhere; undefined if they are to be encoded here. `here`: what
   * encoding has taken here so far, and what is left of it.
   */
  encode(rows: readonly Row[], numbers: readonly number[], here: EncodingHere): Promise<Encoded>;
  /** Ends the thread; the next run over the same rows begins anew. */
  close(): Promise<void>;
}>;

/** The cost of encoding on the run's own thread: milliseconds and rows so far, and rows still to come. */
export type EncodingHere = Readonly<{ elapsed: number; encoded: number; remaining: number }>;

/** When a thread is started, and when it is given up. */
export type BesideLimits = Readonly<{
  /** Batches that come before anything is measured: those of the first steps come together. */
  before: number;
  /** Milliseconds that are measured. */
  watched: number;
  /** Encoding's share of that time, from which on it is moved. */
  share: number;
  /** Milliseconds of encoding that must be left. */
  remaining: number;
  /** Batches that are sent before it is judged whether sending them takes less than encoding them here. */
  sent: number;
}>;

type Encoded = readonly (readonly Sample[])[] | undefined;

/** As they are in runs. */
export const LIMITS: BesideLimits = { before: 8, watched: 500, share: 0.02, remaining: 1000, sent: 16 };

/** Encodes with the thread that `start` starts, where and for as long as that is worth while. */
export function besideThread(
  start: () => Promise<EncoderThread | undefined>,
  { before, watched, share, remaining, sent }: BesideLimits,
): EncodingBeside {
  let calls = 0;
  let begun: Readonly<{ at: number; elapsed: number }> | undefined;
  let starting: Promise<void> | undefined;
  let thread: EncoderThread | undefined;
  let isGivenUp = false;
  /** Batches that were sent, their rows, and what that took of this thread. */
  let [batches, rowsSent, cost] = [0, 0, 0];
  const isWorthIt = ({ elapsed, encoded, remaining: rows }: EncodingHere): boolean => {
    if (++calls <= before) return false;
    const now = performance.now();
    begun ??= { at: now, elapsed };
    const took = now - begun.at;
    return took >= watched && elapsed - begun.elapsed > share * took && rows * elapsed >= remaining * encoded;
  };
  const begin = async (): Promise<void> => {
    thread = await start().catch(() => undefined);
    if (!isGivenUp) return;
    await thread?.close();
    thread = undefined;
  };
  const giveUp = async (): Promise<void> => {
    isGivenUp = true;
    const ended = thread;
    thread = undefined;
    await ended?.close();
  };
  return {
    encode: async (rows, numbers, here) => {
      if (isGivenUp) return undefined;
      if (!starting && isWorthIt(here)) starting = begin();
      if (!thread || !rows.every(isPlain)) return undefined;
      const from = performance.now();
      const answer = thread.encode(rows, numbers);
      cost += performance.now() - from;
      const packed = await answer.catch(() => undefined);
      const answered = performance.now();
      const samples = packed?.map(unpackSamples);
      cost += performance.now() - answered;
      rowsSent += rows.length;
      if (++batches === sent && cost * here.encoded > here.elapsed * rowsSent) await giveUp();
      return samples;
    },
    close: async () => {
      await giveUp();
      await starting;
      [calls, begun, starting, isGivenUp] = [0, undefined, undefined, false];
      [batches, rowsSent, cost] = [0, 0, 0];
    },
  };
}

/**
 * Whether a value is the same in another thread: what classes have made is not, and of a part of a buffer all would be
 * sent.
 */
function isPlain(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return typeof value !== "function" && typeof value !== "symbol";
  if (Array.isArray(value)) return value.every(isPlain);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (ArrayBuffer.isView(value)) {
    return Object.getPrototypeOf(prototype) === TYPED_ARRAY && value.byteLength === value.buffer.byteLength;
  }
  return (prototype === Object.prototype || prototype === null) && Object.values(value).every(isPlain);
}

const TYPED_ARRAY: unknown = Object.getPrototypeOf(Uint8Array.prototype);
