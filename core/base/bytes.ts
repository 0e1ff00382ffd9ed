/** Bytes of parts, of streams, and of JSON. */

/** Parts as one; of one part, itself. */
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

/** A copy that shares no memory: `slice` of Node's Buffer, which is a Uint8Array too, gives a view. */
export function copyBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

/** Bytes, or all of a stream, whose parts may be buffers that are used again. */
export async function allBytes(content: Uint8Array | AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  if (content instanceof Uint8Array) return content;
  const parts: Uint8Array[] = [];
  for await (const part of content) parts.push(copyBytes(part));
  return joinBytes(parts);
}

/** A value as JSON in UTF-8. */
export function jsonBytes(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** A value as a JSON file has it: indented, with a line break at its end. */
export function jsonFileBytes(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value, null, 2) + "\n");
}

/** Whether the same bytes are in both. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** The value of JSON in UTF-8 that this program wrote itself, so it is not checked. */
export function jsonIn<T>(bytes: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(bytes)) as T;
}

/** Gives memory back at once that a collector would leave for long: isolates have little. Nobody else may have it. */
export function releaseBuffer({ buffer }: ArrayBufferView): void {
  const memory = buffer as ArrayBuffer & { transfer?(length: number): ArrayBuffer };
  if (memory.byteLength > 0) memory.transfer?.(0);
}
