/** Byte arrays: joining, copying, comparing, and JSON as bytes. */

/** Joins parts into one array; a single part is returned as it is. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  if (parts.length === 1) return parts[0] as Uint8Array<ArrayBuffer>;
  const all = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Copies bytes. (`slice` would not do: for a Node Buffer, which is a Uint8Array too, it returns a view.) */
export function copyBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

/** Returns bytes as they are, or reads a whole stream, which may reuse the buffer of its parts. */
export async function allBytes(content: Uint8Array | AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  if (content instanceof Uint8Array) return content;
  const parts: Uint8Array[] = [];
  for await (const part of content) parts.push(copyBytes(part));
  return joinBytes(parts);
}

/** Encodes a value as JSON in UTF-8. */
export function jsonBytes(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Encodes a value as a JSON file: indented, with a final line break. */
export function jsonFileBytes(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value, null, 2) + "\n");
}

/** Whether two arrays hold the same bytes. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Decodes JSON that this program wrote itself, and therefore does not check it. */
export function jsonIn<T>(bytes: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(bytes)) as T;
}

/** Frees a buffer at once instead of waiting for garbage collection. Nothing else may use the buffer any more. */
export function releaseBuffer({ buffer }: ArrayBufferView): void {
  const memory = buffer as ArrayBuffer & { transfer?(length: number): ArrayBuffer };
  if (memory.byteLength > 0) memory.transfer?.(0);
}
