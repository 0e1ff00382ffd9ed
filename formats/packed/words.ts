/** Codes of a few bits, packed one after the other into 32-bit words, lowest bits first. */

/** Returns the number of words that `count` codes take. */
export function wordsFor(count: number, bits: number): number {
  return Math.ceil(count * bits / 32);
}

/** Returns code `i` of the codes that begin at word `start` and continue every `stride` words. */
export function codeIn(words: Int32Array, bits: number, i: number, start: number, stride: number): number {
  const bit = i * bits;
  const at = start + (bit >>> 5) * stride;
  const shift = bit & 31;
  const low = (words[at] as number) >>> shift;
  // Codes of 3, 5, 6 and 7 bits may span two words.
  const high = shift + bits > 32 ? (words[at + stride] as number) << (32 - shift) : 0;
  return (low | high) & ((1 << bits) - 1);
}
