/** Checks UTF-8 byte by byte. */

/** A check of UTF-8 bytes as they arrive. */
export interface Utf8Check {
  /** Checks the next byte; returns false if it is invalid there. */
  takes(byte: number): boolean;
  /** Whether the bytes so far end with a complete character. */
  isWhole(): boolean;
}

/** Creates a check of UTF-8, which refuses missing and stray bytes, overlong encodings and surrogates. */
export function utf8Check(): Utf8Check {
  let [left, low, high] = [0, 0x80, 0xbf];
  return {
    takes: (byte) => {
      if (left === 0) {
        if (byte < 0x80) return true;
        if (byte < 0xc2 || byte > 0xf4) return false;
        left = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
        low = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
        high = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
        return true;
      }
      if (byte < low || byte > high) return false;
      [left, low, high] = [left - 1, 0x80, 0xbf];
      return true;
    },
    isWhole: () => left === 0,
  };
}
