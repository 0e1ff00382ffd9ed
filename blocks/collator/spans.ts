/** Random spans of tokens that are removed from a text. */
import { exp } from "../../core/math/math.ts";
import { permutation } from "../../core/math/random.ts";
import type { Random } from "../../core/types.ts";

/** The share of tokens to remove, and the mean length of the removed spans. */
export type Noise = Readonly<{ noiseDensity: number; meanNoiseSpanLength: number }>;

/**
 * Returns the number of noise tokens of a text, and of spans (at most `most`): at least one of each, leaving at least
 * one token.
 */
export function noiseOf(
  length: number,
  noise: Noise,
  most: number = Infinity,
): Readonly<{ tokens: number; spans: number }> {
  const tokens = Math.min(Math.max(Math.round(length * noise.noiseDensity), 1), length - 1);
  const spans = Math.max(Math.round(tokens / noise.meanNoiseSpanLength), 1);
  return { tokens, spans: Math.min(spans, length - tokens, most) };
}

/** Returns the longest text that fits into `room` tokens after span corruption, with a sentinel for each span. */
export function longestNoiseSource(room: number, noiseDensity: number, meanNoiseSpanLength: number): number {
  let length = 1;
  for (;;) {
    const { tokens, spans } = noiseOf(length + 1, { noiseDensity, meanNoiseSpanLength });
    if (length + 1 - tokens + spans > room) return length;
    length++;
  }
}

/**
 * Span corruption (Raffel et al. 2020): kept and removed spans alternate, starting with a kept one, with random
 * lengths. A removed span becomes one sentinel in the input; the target has that sentinel and the span.
 */
export function corruptSpans(
  ids: ArrayLike<number>,
  sentinels: readonly number[],
  random: Random,
  noise: Noise,
): Readonly<{ input: number[]; target: number[] }> {
  const { tokens, spans } = noiseOf(ids.length, noise, sentinels.length);
  const taken = segments(random.fork("noise"), tokens, spans);
  const unmasked = segments(random.fork("kept"), ids.length - tokens, spans);
  const [input, target]: [number[], number[]] = [[], []];
  let at = 0;
  const move = (to: number[], count: number): void => {
    for (const end = at + count; at < end; at++) to.push(ids[at] ?? 0);
  };
  sentinels.slice(0, spans).forEach((sentinel, i) => {
    move(input, unmasked[i] ?? 0);
    input.push(sentinel);
    target.push(sentinel);
    move(target, taken[i] ?? 0);
  });
  return { input, target };
}

/** Splits a number into `count` random positive summands; all splits have the same probability. */
function segments(random: Random, total: number, count: number): number[] {
  const cuts = [...permutation(random, total - 1).subarray(0, count - 1)].map((cut) => cut + 1).sort((a, b) => a - b);
  return [...cuts, total].map((cut, i) => cut - (cuts[i - 1] ?? 0));
}

/**
 * Text infilling (Lewis et al. 2020): each span, of Poisson distributed length, becomes one mask; a span of length 0
 * inserts a mask. Spans are at random places and do not overlap.
 */
export function infillText(ids: ArrayLike<number>, mask: number, random: Random, noise: Noise): number[] {
  const wanted = Math.ceil(ids.length * noise.noiseDensity);
  const lengths: number[] = [];
  const draws = random.fork("lengths");
  for (let left = wanted; left > 0;) {
    // Never more spans than removed tokens, so that no text grows.
    const least = lengths.length < wanted - left ? 0 : 1;
    const drawn = poisson(draws.uniform(lengths.length), noise.meanNoiseSpanLength);
    const length = Math.min(left, Math.max(least, drawn));
    lengths.push(length);
    left -= length;
  }
  // Each span is one of kept + spans slots; the others are the kept tokens, in order.
  const slots = ids.length - wanted + lengths.length;
  const chosen = new Set(permutation(random.fork("places"), slots).subarray(0, lengths.length));
  const out: number[] = [];
  let at = 0;
  let span = 0;
  for (let slot = 0; slot < slots; slot++) {
    if (chosen.has(slot)) {
      out.push(mask);
      at += lengths[span++] ?? 0;
    } else out.push(ids[at++] ?? 0);
  }
  return out;
}

/**
 * Sentence permutation (Lewis et al. 2020) as in fairseq: a random share of the sentences is shuffled. A sentence ends
 * after a full stop that follows another token, and at the end of the text.
 */
export function permuteSentences(ids: ArrayLike<number>, fullStop: number, random: Random, ratio: number): number[] {
  const all = Array.from(ids);
  const stops = (i: number): boolean => i === all.length - 1 || all[i] === fullStop;
  const ends = all.flatMap((_, i) => (stops(i) && (i === 0 || !stops(i - 1)) ? [i + 1] : []));
  const chosen = permutation(random.fork("sentences"), ends.length).subarray(0, Math.ceil(ends.length * ratio));
  const order = ends.map((_, i) => i);
  permutation(random.fork("order"), chosen.length).forEach((from, i) => (order[chosen[i] ?? 0] = chosen[from] ?? 0));
  // Tokens after the last sentence stay there.
  return [...order.flatMap((i) => all.slice(ends[i - 1] ?? 0, ends[i])), ...all.slice(ends.at(-1) ?? 0)];
}

/** Returns the number at which the distribution function of a Poisson distribution exceeds `uniform`. */
function poisson(uniform: number, mean: number): number {
  let probability = exp(-mean);
  let total = probability;
  let value = 0;
  while (uniform >= total && probability > 0) {
    value++;
    probability *= mean / value;
    total += probability;
  }
  return value;
}
