/** Hashes of 64 bits, as their two halves: fast, the same everywhere, and not made to withstand anybody. */

/** The two halves of a 64-bit hash. */
export type Hash = readonly [number, number];

/** What the two halves begin with. */
const FIRST = 0x9e3779b1;
const SECOND = 0x85ebca6b;

/** A hash of a text's UTF-16 units. */
export function hashOf(text: string): Hash {
  let [a, b] = [FIRST | 0, SECOND | 0];
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x2c1b3c6d);
    a ^= a >>> 15;
    b = Math.imul(b ^ unit, 0x297a2d39);
    b ^= b >>> 13;
  }
  return [mixBits(a ^ text.length), mixBits(b + text.length)];
}

/** Bits of a number, each of which depends on all of its own (MurmurHash3). */
export function mixBits(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
