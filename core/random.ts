/**
 * Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
 * The same (seed, path, index) gives the same bits everywhere; nothing advances, so every stream is seekable.
 * @module
 */
import { cos, log } from "./math.ts";

/** A stream of random numbers, addressed by index. */
export interface Random {
  /** An independent stream for a purpose: `random.fork("dropout", step)`. */
  fork(...path: readonly (string | number)[]): Random;
  /** 32 random bits as an unsigned integer. */
  bits(index: number): number;
  /** Uniform in [0, 1), a multiple of 2⁻³². */
  uniform(index: number): number;
  /** Standard normal, by Box and Muller. */
  normal(index: number): number;
  /** The 64-bit key of this stream, as two unsigned 32-bit halves: what kernels are given. */
  readonly key: readonly [number, number];
}

/** Four 32-bit words of Philox4x32-10 from a counter of four and a key of two. */
export function philox4x32(counter: readonly number[], key: readonly number[]): [number, number, number, number] {
  let [a, b, c, d] = [
    (counter[0] ?? 0) >>> 0,
    (counter[1] ?? 0) >>> 0,
    (counter[2] ?? 0) >>> 0,
    (counter[3] ?? 0) >>> 0,
  ];
  let [x, y] = [(key[0] ?? 0) >>> 0, (key[1] ?? 0) >>> 0];
  for (let round = 0; round < 10; round++) {
    const h0 = highWord(a, 0xd2511f53);
    const l0 = Math.imul(a, 0xd2511f53) >>> 0;
    const h1 = highWord(c, 0xcd9e8d57);
    const l1 = Math.imul(c, 0xcd9e8d57) >>> 0;
    a = (h1 ^ b ^ x) >>> 0;
    b = l1;
    c = (h0 ^ d ^ y) >>> 0;
    d = l0;
    x = (x + 0x9e3779b9) >>> 0;
    y = (y + 0xbb67ae85) >>> 0;
  }
  return [a, b, c, d];
}

/**
 * The stream of a seed.
 *
 * @example
 * ```ts
 * import { createRandom } from "attune";
 * const random = createRandom(42).fork("order");
 * console.assert(random.uniform(7) === createRandom(42).fork("order").uniform(7));
 * ```
 */
export function createRandom(seed: number | bigint): Random {
  const wide = BigInt.asUintN(64, BigInt(seed));
  return stream([Number(wide & 0xffffffffn), Number(wide >> 32n)]);
}

/** The numbers 0 to n-1 in random order (Fisher and Yates), the same for the same stream. */
export function permutation(random: Random, n: number): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random.uniform(i) * (i + 1));
    const moved = order[i] ?? 0;
    order[i] = order[j] ?? 0;
    order[j] = moved;
  }
  return order;
}

/** Fills with normals of mean 0. */
export function fillNormal(random: Random, out: Float32Array, std: number): void {
  for (let i = 0; i < out.length; i++) out[i] = std * random.normal(i);
}

/** Fills with uniforms between -bound and bound. */
export function fillUniform(random: Random, out: Float32Array, bound: number): void {
  for (let i = 0; i < out.length; i++) out[i] = bound * (2 * random.uniform(i) - 1);
}

function stream(key: readonly [number, number]): Random {
  let [block, words] = [-1, [0, 0, 0, 0] as readonly number[]];
  const bits = (index: number): number => {
    const own = Math.floor(index / 4);
    if (own !== block) [block, words] = [own, philox4x32([own, Math.floor(own / 2 ** 32), 0, 0], key)];
    return words[index % 4] ?? 0;
  };
  const uniform = (index: number): number => bits(index) / 2 ** 32;
  return {
    key,
    bits,
    uniform,
    normal: (index) => {
      // One half of a pair: the radius from an even draw, never log 0; the angle from the odd one.
      const radius = Math.sqrt(-2 * log(1 - uniform(2 * index)));
      return radius * cos(2 * Math.PI * uniform(2 * index + 1));
    },
    fork: (...path) => stream(path.reduce<readonly [number, number]>(derived, key)),
  };
}

// Each part is hashed into the key by Philox itself; the last counter word tells numbers, text and the end of text apart.
function derived(key: readonly [number, number], part: string | number): readonly [number, number] {
  const next = (counter: readonly number[], key: readonly [number, number]): [number, number] => {
    const [a, b] = philox4x32(counter, key);
    return [a, b];
  };
  if (typeof part === "number") return next([part, Math.floor(part / 2 ** 32), 0, 1], key);
  const bytes = new TextEncoder().encode(part);
  let own = key;
  for (let i = 0; i < bytes.length; i += 4) {
    const word = (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8) | ((bytes[i + 2] ?? 0) << 16) |
      ((bytes[i + 3] ?? 0) << 24);
    own = next([word, i, 0, 2], own);
  }
  return next([bytes.length, 0, 0, 3], own);
}

/** The upper 32 bits of a 64-bit product, by 16-bit halves; every partial sum stays below 2⁵³. */
function highWord(a: number, b: number): number {
  const [ah, al, bh, bl] = [a >>> 16, a & 0xffff, b >>> 16, b & 0xffff];
  const middle = ah * bl + al * bh + Math.floor((al * bl) / 65536);
  return (ah * bh + Math.floor(middle / 65536)) >>> 0;
}
