/**
 * The frames of a Zstandard file (RFC 8878), in pieces that end where a block ends: a block of four bytes may unpack to
 * 128 KiB, so other pieces could unpack to any size.
 */
import { joinBytes } from "../../core/base/bytes.ts";

/** Larger windows are refused, since a reader holds one in memory. The program `zstd` has the same default. */
const MAX_WINDOW = 128 * 2 ** 20;

/** The largest size of a block, compressed or not, and of a frame's header, in bytes. */
const [MAX_BLOCK, MAX_HEADER] = [2 ** 17, 18];

/** Magic numbers of a frame, and of a skippable frame without its last four bits. */
const [FRAME, PASSED_OVER] = [0xfd2fb528, 0x184d2a5];

/**
 * Splits a file after each frame's header and each block; an incomplete end is passed on as it is.
 *
 * @throws Error if a frame needs a window larger than the limit, or if there is neither a frame nor a block.
 */
export async function* zstdBlocks(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = pieces[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array();
  /** Whether at least `count` bytes are left. */
  const has = async (count: number): Promise<boolean> => {
    const parts = [rest];
    let length = rest.length;
    while (length < count) {
      const next = await source.next();
      if (next.done) break;
      parts.push(next.value);
      length += next.value.length;
    }
    rest = joinBytes(parts);
    return length >= count;
  };
  const take = (count: number): Uint8Array => {
    const taken = rest.subarray(0, count);
    rest = rest.subarray(count);
    return taken;
  };
  while (await has(8)) {
    const magic = numberIn(rest, 0, 4);
    if (Math.floor(magic / 16) === PASSED_OVER) {
      let left = 8 + numberIn(rest, 4, 4);
      for (; left > 0 && await has(1); left -= Math.min(left, rest.length)) yield take(Math.min(left, rest.length));
      continue;
    }
    if (magic !== FRAME) throw new Error("what follows a frame is none");
    await has(MAX_HEADER);
    const { length, window, checked } = headerOf(rest);
    if (window > MAX_WINDOW) throw new Error(`its window of ${window} bytes is larger than ${MAX_WINDOW}`);
    if (!await has(length)) break;
    yield take(length);
    for (let isLast = false; !isLast && await has(3);) {
      const header = numberIn(rest, 0, 3);
      isLast = (header & 1) === 1;
      const size = header >> 3;
      if (size > MAX_BLOCK) throw new Error(`a block of ${size} bytes is larger than ${MAX_BLOCK}`);
      // A block of one repeated byte (RLE) consists of that byte alone.
      const whole = 3 + ((header & 6) === 2 ? 1 : size) + (isLast && checked ? 4 : 0);
      await has(whole);
      yield take(whole);
    }
  }
  if (rest.length > 0) yield rest;
}

/** Parses a frame's header: its length, its window size, and whether a checksum follows its blocks. */
function headerOf(bytes: Uint8Array): Readonly<{ length: number; window: number; checked: boolean }> {
  const [flags = 0, descriptor = 0] = [bytes[4], bytes[5]];
  const isSingle = (flags & 32) !== 0;
  const dictionary = [0, 1, 2, 4][flags & 3] ?? 0;
  const size = [isSingle ? 1 : 0, 2, 4, 8][flags >> 6] ?? 0;
  const at = (isSingle ? 5 : 6) + dictionary;
  const base = 2 ** (10 + (descriptor >> 3));
  const content = numberIn(bytes, at, size) + (size === 2 ? 256 : 0);
  return {
    length: at + size,
    window: isSingle ? content : base + base / 8 * (descriptor & 7),
    checked: (flags & 4) !== 0,
  };
}

/** Reads a little-endian number of `count` bytes. */
function numberIn(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}
