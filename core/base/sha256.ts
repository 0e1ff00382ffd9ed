/** SHA-256 fingerprints of content. */

/** Returns the SHA-256 of bytes or text, in hexadecimal. */
export async function sha256(content: Uint8Array | string): Promise<string> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return [...new Uint8Array(digest)].map((b) => b.toString(16).padStart(2, "0")).join("");
}

/** Bytes per digest: Web Crypto cannot digest streams. */
const PIECE = 4 * 2 ** 20;

/**
 * Cuts a stream into pieces of `pieceBytes`, which all use the same buffer. `digest`, called after the last piece,
 * returns the SHA-256 over the SHA-256 of each. Digests that other versions compare use pieces of 4 MiB.
 */
export function digestedPieces(
  stream: AsyncIterable<Uint8Array>,
  pieceBytes: number = PIECE,
): Readonly<{ pieces: AsyncIterable<Uint8Array>; digest(): Promise<string> }> {
  const digests: string[] = [];
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    const piece = new Uint8Array(pieceBytes);
    let length = 0;
    for await (const bytes of stream) {
      for (let from = 0; from < bytes.length;) {
        const part = bytes.subarray(from, from + pieceBytes - length);
        piece.set(part, length);
        length += part.length;
        from += part.length;
        if (length < pieceBytes) continue;
        digests.push(await sha256(piece));
        yield piece;
        length = 0;
      }
    }
    if (length === 0) return;
    digests.push(await sha256(piece.subarray(0, length)));
    yield piece.subarray(0, length);
  };
  return { pieces: pieces(), digest: () => sha256(digests.join()) };
}
