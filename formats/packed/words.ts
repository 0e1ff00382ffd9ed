/** Codes of a few bits, one behind the other in words of 32 bits, the lowest bits first. */

/** The number of words that this many codes take. */
export function wordsFor(count: number, bits: number): number {
  return Math.ceil(count * bits / 32);
}

/** Code `i` of those that begin at word `start`; their next word is `stride` words on. */
export function codeIn(words: Int32Array, bits: number, i: number, start: number, stride: number): number {
  const bit = i * bits;
  const at = start + (bit >>> 5) * stride;
  const shift = bit & 31;
  const low = (words[at] as number) >>> shift;
  // Codes of 3, 5, 6 and 7 bits may lie in two words.
  const high = shift + bits > 32 ? (words[at + stride] as number) << (32 - shift) : 0;
  return (low | high) & ((1 << bits) - 1);
}
