/**
 * Encoding in a second thread beside the training steps, which block the run's own thread. The thread is started only
 * if encoding takes a large enough share of the time.
 */
import type { EncoderThread, Row, Sample } from "../../types.ts";
import { unpackSamples } from "./packed_samples.ts";

/** Encodes the rows of future steps in another thread. */
export type EncodingBeside = Readonly<{
  /**
   * Returns the samples of rows, encoded in another thread; undefined if the caller has to encode them. `here`: the
   * cost of encoding on the run's own thread.
   */
  encode(rows: readonly Row[], numbers: readonly number[], here: EncodingHere): Promise<Encoded>;
  /** Ends the thread; the next run over the same rows starts with new measurements. */
  close(): Promise<void>;
}>;

/** The cost of encoding on the run's own thread: milliseconds and rows so far, and rows still to come. */
export type EncodingHere = Readonly<{ elapsed: number; encoded: number; remaining: number }>;

/** Limits that decide when a thread is started, and when it is given up. */
export type BesideLimits = Readonly<{
  /** Batches before measuring starts, since the batches of the first steps are requested all at once. */
  before: number;
  /** Milliseconds of measuring before the decision. */
  watched: number;
  /** Share of that time spent on encoding above which a thread is started. */
  share: number;
  /** Milliseconds of encoding that must remain for a thread to pay off. */
  remaining: number;
  /** Batches sent before comparing the time of sending with that of encoding here. */
  sent: number;
}>;

type Encoded = readonly (readonly Sample[])[] | undefined;

/** The limits that runs use. */
export const LIMITS: BesideLimits = { before: 8, watched: 500, share: 0.02, remaining: 1000, sent: 16 };

/** Creates an encoder that uses the thread from `start` as long as that saves time. */
export function besideThread(
  start: () => Promise<EncoderThread | undefined>,
  { before, watched, share, remaining, sent }: BesideLimits,
): EncodingBeside {
  let calls = 0;
  let begun: Readonly<{ at: number; elapsed: number }> | undefined;
  let starting: Promise<void> | undefined;
  let thread: EncoderThread | undefined;
  let isGivenUp = false;
  /** Batches and rows sent, and the milliseconds that sending cost on this thread. */
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
 * Whether a value arrives unchanged in another thread. Instances of classes do not, and a view of part of a buffer
 * would send the whole buffer.
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
