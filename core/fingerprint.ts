/**
 * Fingerprints of content.
 * @module
 */

/** SHA-256 of bytes or text, in hexadecimal. */
export async function sha256(content: Uint8Array | string): Promise<string> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return [...new Uint8Array(digest)].map((b) => b.toString(16).padStart(2, "0")).join("");
}

/** Bytes that are digested at once: the web's digest takes no streams. */
const PIECE = 4 * 2 ** 20;

/** SHA-256 over the SHA-256 of each 4 MiB of what is pushed. */
export function streamDigest(): Readonly<{ push(bytes: Uint8Array): Promise<void>; end(): Promise<string> }> {
  const digests: string[] = [];
  let piece = new Uint8Array(PIECE);
  let length = 0;
  const digest = async (): Promise<void> => {
    digests.push(await sha256(piece.subarray(0, length)));
    length = 0;
  };
  return {
    push: async (bytes) => {
      for (let from = 0; from < bytes.length;) {
        const part = bytes.subarray(from, from + PIECE - length);
        piece.set(part, length);
        length += part.length;
        from += part.length;
        if (length === PIECE) await digest();
      }
    },
    end: async () => {
      if (length > 0) await digest();
      piece = new Uint8Array();
      return await sha256(digests.join());
    },
  };
}
