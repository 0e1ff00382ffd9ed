/** A checksum that detects damage, not tampering. */

/** Returns a 64-bit checksum in hexadecimal, which torn writes, zeroed blocks and flipped bits change. */
export function checksum(bytes: Uint8Array): string {
  // Two lanes of multiplications with different odd numbers, each mixed into the other at the end (cyrb).
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    a = Math.imul(a ^ byte, 2654435761);
    b = Math.imul(b ^ byte, 1597334677);
    a = a << 13 | a >>> 19;
    b = b << 17 | b >>> 15;
  }
  a = Math.imul(a ^ a >>> 16, 2246822507) ^ Math.imul(b ^ b >>> 13, 3266489909);
  b = Math.imul(b ^ b >>> 16, 2246822507) ^ Math.imul(a ^ a >>> 13, 3266489909);
  const hex = (x: number): string => (x >>> 0).toString(16).padStart(8, "0");
  return hex(a) + hex(b);
}
