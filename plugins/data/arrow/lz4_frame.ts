/**
 * LZ4 frames, decompressed block by block into a given number of bytes: available libraries do not check bounds.
 * Checksums are not verified.
 * @module
 */

const MAGIC = 0x184d2204;

/** Decompresses a frame. Throws Error if it is damaged, or does not have the given length. */
export function unpackLz4Frame(input: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const [flags = 0] = input.subarray(4);
  if (input.length < 7 || view.getUint32(0, true) !== MAGIC || flags >> 6 !== 1 || flags & 1) {
    throw new Error("what is packed with LZ4 is no frame of version 1 without a dictionary");
  }
  const [hasChecksums, hasSize] = [(flags & 16) !== 0, (flags & 8) !== 0];
  const out = new Uint8Array(length);
  let filled = 0;
  for (let at = hasSize ? 15 : 7;;) {
    const word = view.getUint32(at, true);
    if (word === 0) break;
    const [from, size] = [at + 4, word & 0x7fffffff];
    if (from + size > input.length) throw new Error("a block of LZ4 ends too early");
    const block = input.subarray(from, from + size);
    if (word >>> 31 === 0) filled = unpackBlock(block, out, filled);
    else if (filled + size > length) throw tooLong(length);
    else {
      out.set(block, filled);
      filled += size;
    }
    at = from + size + (hasChecksums ? 4 : 0);
  }
  if (filled !== length) throw new Error(`what is packed with LZ4 has ${filled} bytes, its header says ${length}`);
  return out;
}

/** Decompresses a block after the filled bytes, which it may refer to; returns the new number of filled bytes. */
function unpackBlock(block: Uint8Array, out: Uint8Array, filled: number): number {
  let [at, end] = [0, filled];
  const next = (): number => {
    const byte = block[at++];
    if (byte === undefined) throw new Error("a block of LZ4 ends too early");
    return byte;
  };
  const counted = (four: number): number => {
    let count = four;
    if (four === 15) {
      let byte;
      do count += byte = next(); while (byte === 255);
    }
    return count;
  };
  while (at < block.length) {
    const token = next();
    const literals = counted(token >> 4);
    if (at + literals > block.length) throw new Error("a block of LZ4 ends too early");
    if (end + literals > out.length) throw tooLong(out.length);
    out.set(block.subarray(at, at + literals), end);
    at += literals;
    end += literals;
    // The last sequence of a block has no match.
    if (at === block.length) break;
    const back = next() + 256 * next();
    const count = counted(token & 15) + 4;
    if (back === 0 || back > end) throw new Error(`a block of LZ4 refers ${back} bytes back, where there are ${end}`);
    if (end + count > out.length) throw tooLong(out.length);
    // A match may overlap the bytes that it produces.
    if (back >= count) out.copyWithin(end, end - back, end - back + count);
    else for (let i = end; i < end + count; i++) out[i] = out[i - back] ?? 0;
    end += count;
  }
  return end;
}

function tooLong(length: number): Error {
  return new Error(`what is packed with LZ4 has more than the ${length} bytes that its header says`);
}
