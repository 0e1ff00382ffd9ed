/**
 * Words and their hashes, for comparing texts by their content.
 * @module
 */

import { type Hash, hashOf, mixBits } from "../../core/data/text_hash.ts";

/** Returns the words of a text in lower case: Unicode letters, digits and underscores, like Python's `\w`. */
export function wordsOf(text: string): readonly string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [];
}

/** Returns an order-dependent hash of several hashes. */
function hashOfRun(hashes: readonly Hash[], from: number, count: number): Hash {
  let [a, b] = [count, -count];
  for (let i = from; i < from + count; i++) {
    const [first, second] = hashes[i] ?? [0, 0];
    a = Math.imul(((a << 5) | (a >>> 27)) ^ first, 0x2c1b3c6d);
    b = Math.imul(((b << 7) | (b >>> 25)) ^ second, 0x297a2d39);
  }
  return [mixBits(a ^ count), mixBits(b + count)];
}

/** Returns the hash of every `n` consecutive words; of all words if there are fewer; of the text if there are none. */
export function shinglesOf(text: string, n: number): readonly Hash[] {
  const words = wordsOf(text);
  if (words.length === 0) return [hashOf(text)];
  const hashes = words.map(hashOf);
  const size = Math.min(n, words.length);
  return Array.from({ length: words.length - size + 1 }, (_, i) => hashOfRun(hashes, i, size));
}

/** A set of hashes: sorted and distinct, each as its two halves. */
export type HashSet = Uint32Array;

/** Returns the set of the given hashes. */
export function hashSet(hashes: readonly Hash[]): HashSet {
  const halves = new Uint32Array(2 * hashes.length);
  hashes.forEach(([first, second], i) => {
    halves[2 * i] = first;
    halves[2 * i + 1] = second;
  });
  // Typed arrays are sorted numerically without a comparison function.
  new BigUint64Array(halves.buffer).sort();
  let size = 0;
  for (let i = 0; i < halves.length; i += 2) {
    if (size > 0 && halves[i] === halves[size - 2] && halves[i + 1] === halves[size - 1]) continue;
    halves[size++] = halves[i] ?? 0;
    halves[size++] = halves[i + 1] ?? 0;
  }
  return halves.slice(0, size);
}

/** The Jaccard similarity of two sets: the size of their intersection divided by that of their union. */
export function jaccard(a: HashSet, b: HashSet): number {
  let [i, j, both] = [0, 0, 0];
  while (i < a.length && j < b.length) {
    const [high, other] = [a[i + 1] ?? 0, b[j + 1] ?? 0];
    const order = high - other || (a[i] ?? 0) - (b[j] ?? 0);
    if (order === 0) both++;
    if (order <= 0) i += 2;
    if (order >= 0) j += 2;
  }
  return both / ((a.length + b.length) / 2 - both);
}
