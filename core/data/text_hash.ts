/** 64-bit hashes as two 32-bit halves: fast and the same everywhere, but not safe against deliberate collisions. */

/** The two halves of a 64-bit hash. */
export type Hash = readonly [number, number];

/** The initial value of the halves. */
const FIRST = 0x9e3779b1;
const SECOND = 0x85ebca6b;

/** Hashes the UTF-16 code units of a text. */
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

/** Mixes the bits of a number, so that each result bit depends on all of them (the finalizer of MurmurHash3). */
export function mixBits(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
