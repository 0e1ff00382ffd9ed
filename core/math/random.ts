/**
 * Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
 * The same (seed, path, index) gives the same bits everywhere; nothing advances, so every stream is seekable.
 */
import { badValue } from "../base/errors.ts";
import { cos, log } from "./math.ts";
import type { Random } from "../base/types.ts";

export type { Random } from "../base/types.ts";

type Words = [number, number, number, number];

const TWO_32 = 4294967296;

/**
 * Computes four 32-bit words of Philox4x32-10 from a counter of four words and a key of two.
 *
 * @example
 * ```ts
 * import { philox4x32 } from "attune";
 * console.assert(philox4x32([0, 0, 0, 0], [0, 0])[0] === 0x6627e8d5);
 * ```
 */
export function philox4x32(counter: readonly number[], key: readonly number[]): Words {
  const words: Words = [0, 0, 0, 0];
  fill(words, counter[0] ?? 0, counter[1] ?? 0, counter[2] ?? 0, counter[3] ?? 0, key[0] ?? 0, key[1] ?? 0);
  return words;
}

/**
 * Creates the random stream of a seed; its lowest 64 bits are used.
 *
 * @throws AttuneError (BAD_VALUE) if the seed is not a whole number.
 * @example
 * ```ts
 * import { createRandom } from "attune";
 * const random = createRandom(42).fork("order");
 * console.assert(random.uniform(7) === createRandom(42).fork("order").uniform(7));
 * ```
 */
export function createRandom(seed: number | bigint): Random {
  if (typeof seed === "number" && !Number.isInteger(seed)) throw badValue("random", "seed", seed, "a whole number");
  const wide = BigInt.asUintN(64, BigInt(seed));
  return stream([Number(wide & 0xffffffffn), Number(wide >> 32n)]);
}

/**
 * Returns the numbers 0 to n-1 in random order (Fisher and Yates over counters), the same for the same stream.
 *
 * @example
 * ```ts
 * import { createRandom, permutation } from "attune";
 * console.assert(permutation(createRandom(1), 3).reduce((a, b) => a + b) === 3);
 * ```
 */
export function permutation(random: Random, n: number): Int32Array {
  const order = new Int32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random.uniform(i) * (i + 1));
    const moved = order[i] ?? 0;
    order[i] = order[j] ?? 0;
    order[j] = moved;
  }
  return order;
}

/** Rounds of the Feistel network, each with its own key. */
const ROUNDS = 4;

/**
 * Returns a function for the number at any place of a random order of 0 to n-1, which needs no table (and differs from
 * `permutation`): a four-round Feistel network over the next power of four, repeated until the result is below n
 * (cycle walking, Black & Rogaway 2002).
 *
 * @example
 * ```ts
 * import { createRandom, seekablePermutation } from "attune/kit";
 * const at = seekablePermutation(createRandom(1), 3);
 * console.assert(at(0) + at(1) + at(2) === 3);
 * ```
 */
export function seekablePermutation(random: Random, n: number): (place: number) => number {
  let half = 2;
  while (half * half < n) half *= 2;
  const keys = Array.from({ length: ROUNDS }, (_, round) => random.bits(round));
  const mixed = (number: number): number => {
    let [left, right] = [Math.floor(number / half), number % half];
    for (const key of keys) [left, right] = [right, (left ^ (mix(right ^ key) & (half - 1))) >>> 0];
    return left * half + right;
  };
  return (place) => {
    let number = mixed(place);
    while (number >= n) number = mixed(number);
    return number;
  };
}

/** Mixes 32 bits, so that each result bit depends on all input bits (the finalizer of MurmurHash3). */
function mix(bits: number): number {
  let x = bits ^ (bits >>> 16);
  x = Math.imul(x, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

/** Fills an array with normal numbers of mean 0 and standard deviation `std`. */
export function fillNormal(random: Random, out: Float32Array, std: number): void {
  for (let i = 0; i < out.length; i++) out[i] = std * random.normal(i);
}

/** Fills an array with uniform numbers between -bound and bound. */
export function fillUniform(random: Random, out: Float32Array, bound: number): void {
  for (let i = 0; i < out.length; i++) out[i] = bound * (2 * random.uniform(i) - 1);
}

function stream(key: readonly [number, number]): Random {
  // The most recent block: neighbouring indices share it.
  const words: Words = [0, 0, 0, 0];
  const [k0, k1] = key;
  let block = -1;
  const bits = (index: number): number => {
    const counter = Math.floor(index / 4);
    if (counter !== block) {
      fill(words, counter, Math.floor(counter / TWO_32), 0, 0, k0, k1);
      block = counter;
    }
    return words[index - 4 * counter] ?? 0;
  };
  const uniform = (index: number): number => bits(index) / TWO_32;
  return {
    key,
    bits,
    uniform,
    normal: (index) => {
      // Box-Muller: the radius from the even draw (1 - u is never 0), the angle from the odd one.
      const radius = Math.sqrt(-2 * log(1 - uniform(2 * index)));
      return radius * cos(2 * Math.PI * uniform(2 * index + 1));
    },
    fork: (...path) => stream(path.reduce<readonly [number, number]>(derived, key)),
  };
}

// Hashes each part into the key with Philox itself; the last counter word distinguishes numbers, text and the end of
// text. Keys have 64 bits: among a billion forks, two are equal with a chance of 1 in 37.
function derived(key: readonly [number, number], part: string | number): readonly [number, number] {
  const next = (a: number, b: number, kind: number, key: readonly [number, number]): [number, number] => {
    const words = philox4x32([a, b, 0, kind], key);
    return [words[0], words[1]];
  };
  if (typeof part === "number") {
    if (!Number.isSafeInteger(part)) throw badValue("random", "path", part, "text or a whole number");
    return next(part, Math.floor(part / TWO_32), 1, key);
  }
  const bytes = new TextEncoder().encode(part);
  let hashed = key;
  for (let i = 0; i < bytes.length; i += 4) {
    const word = (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8) | ((bytes[i + 2] ?? 0) << 16) |
      ((bytes[i + 3] ?? 0) << 24);
    hashed = next(word, i, 2, hashed);
  }
  return next(bytes.length, 0, 3, hashed);
}

// Writes a block's four words; arguments count modulo 2³². All arithmetic is on 32-bit integers: |0 keeps engines from
// falling back to doubles.
function fill(out: Words, a: number, b: number, c: number, d: number, x: number, y: number): void {
  for (let round = 0; round < 10; round++) {
    const h0 = highWord(a, 0xd251, 0x1f53);
    const h1 = highWord(c, 0xcd9e, 0x8d57);
    const l0 = Math.imul(a, 0xd2511f53);
    const l1 = Math.imul(c, 0xcd9e8d57);
    a = h1 ^ b ^ x;
    b = l1;
    c = h0 ^ d ^ y;
    d = l0;
    x = (x + 0x9e3779b9) | 0;
    y = (y + 0xbb67ae85) | 0;
  }
  out[0] = a >>> 0;
  out[1] = b >>> 0;
  out[2] = c >>> 0;
  out[3] = d >>> 0;
}

// Returns the upper 32 bits of a 64-bit product, by 16-bit halves; every partial sum stays below 2³².
function highWord(a: number, high: number, low: number): number {
  const ah = a >>> 16;
  const al = a & 0xffff;
  const middle = (Math.imul(ah, low) + (Math.imul(al, low) >>> 16)) | 0;
  const other = (Math.imul(al, high) + (middle & 0xffff)) | 0;
  return (Math.imul(ah, high) + (middle >>> 16) + (other >>> 16)) | 0;
}
