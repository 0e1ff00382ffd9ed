/**
 * The frames of a Zstandard file (RFC 8878), in pieces that end where a block does: a block of four bytes may unpack to
 * 128 KiB, so that a piece of any other kind has no bound.
 */
import { joinBytes } from "../../core/base/bytes.ts";

/** Larger windows are refused: a reader holds one in memory. It is what the program `zstd` takes without being asked. */
const MAX_WINDOW = 128 * 2 ** 20;

/** Bytes that a block has at most, packed or unpacked, and those of a frame's header. */
const [MAX_BLOCK, MAX_HEADER] = [2 ** 17, 18];

/** How a frame begins, and one that readers pass over but for the last four bits. */
const [FRAME, PASSED_OVER] = [0xfd2fb528, 0x184d2a5];

/**
 * Pieces of a file cut behind each frame's header and each of its blocks; what ends too early comes as it is.
 *
 * @throws Error if a frame wants a larger window than readers have, or what follows is neither a frame nor a block.
 */
export async function* zstdBlocks(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = pieces[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array();
  /** Whether so many bytes are there. */
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
      // A block of one byte repeated has that byte alone.
      const whole = 3 + ((header & 6) === 2 ? 1 : size) + (isLast && checked ? 4 : 0);
      await has(whole);
      yield take(whole);
    }
  }
  if (rest.length > 0) yield rest;
}

/** A frame's header: its bytes, those that it refers back to, and whether a checksum follows its blocks. */
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

/** A number of so many bytes, the lowest first. */
function numberIn(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}
