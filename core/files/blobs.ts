/**
 * Large values for stores that can only read and write whole objects: a value is split into objects of a few MiB, so
 * that only one of them is in memory at a time.
 */

/** The underlying storage of objects. */
export type Objects = Readonly<{
  put(name: string, bytes: Uint8Array): Promise<unknown>;
  /** Returns a range of an object's bytes; undefined if there is no such object. */
  get(name: string, offset: number, length: number): Promise<Uint8Array | undefined>;
  delete(name: string): Promise<unknown>;
}>;

/** A large value of `size` bytes in objects `<blob>.0`, `<blob>.1`, ..., of `piece` bytes each except the last. */
export type Blob = Readonly<{ blob: string; size: number; piece: number }>;

/** Bytes per object. */
const PIECE = 4 * 2 ** 20;

/** Stores a value: returns its bytes if they are few, else the blob written. A failure leaves no objects behind. */
export async function putBlob(
  to: Objects,
  blob: string,
  content: Uint8Array | AsyncIterable<Uint8Array>,
  inline: number,
): Promise<Uint8Array | Blob> {
  let [size, count] = [0, 0];
  let waiting: Uint8Array | undefined;
  const keep = async (piece: Uint8Array): Promise<void> => {
    await to.put(`${blob}.${count++}`, piece);
  };
  try {
    for await (const piece of piecesOf(content)) {
      size += piece.length;
      if (waiting) await keep(waiting);
      waiting = piece;
    }
    const last = waiting ?? new Uint8Array();
    if (count === 0 && size <= inline) return last;
    await keep(last);
    return { blob, size, piece: PIECE };
  } catch (error) {
    await deleteBlob(to, { blob, size: count * PIECE, piece: PIECE });
    throw error;
  }
}

/** Reads a range of a large value. Throws if one of its objects is missing. */
export async function getBlob(from: Objects, value: Blob, offset: number, length: number): Promise<Uint8Array> {
  const { blob, size, piece } = value;
  const end = Math.min(size, offset + length);
  const bytes = new Uint8Array(Math.max(0, end - offset));
  for (let at = offset; at < end;) {
    const start = at % piece;
    const part = await from.get(`${blob}.${Math.floor(at / piece)}`, start, Math.min(piece - start, end - at));
    if (!part || part.length === 0) throw new Error("an object of it is missing");
    bytes.set(part, at - offset);
    at += part.length;
  }
  return bytes;
}

/** Deletes the objects of a large value; those that cannot be deleted stay behind, unused. */
export async function deleteBlob(from: Objects, { blob, size, piece }: Blob): Promise<void> {
  for (let at = 0; at * piece < size; at++) await from.delete(`${blob}.${at}`).catch(() => {});
}

/** Cuts bytes into pieces of equal size, each with its own memory; the last may be shorter. */
async function* piecesOf(content: Uint8Array | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (content instanceof Uint8Array) {
    for (let at = 0; at < content.length; at += PIECE) yield content.subarray(at, at + PIECE);
    return;
  }
  let piece: Uint8Array | undefined;
  let length = 0;
  for await (const bytes of content) {
    for (let from = 0; from < bytes.length;) {
      piece ??= new Uint8Array(PIECE);
      const part = bytes.subarray(from, from + PIECE - length);
      piece.set(part, length);
      length += part.length;
      from += part.length;
      if (length < PIECE) continue;
      yield piece;
      [piece, length] = [undefined, 0];
    }
  }
  if (piece) yield piece.subarray(0, length);
}
