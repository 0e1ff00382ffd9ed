/**
 * Forms with files (multipart/form-data, RFC 7578), read as a stream: no part is ever in memory as a whole.
 */
import { copyBytes, joinBytes } from "../../core/base/bytes.ts";
import { httpError } from "./responses.ts";

/** One field of a form. Its bytes must be read before the next field is requested; unread ones are skipped. */
export type FormPart = Readonly<{ name: string; filename: string | undefined; bytes: AsyncIterable<Uint8Array> }>;

/** Limits: bytes of one part's headers, number of fields in a form, bytes of a field that is read as text. */
const [MAX_HEADERS, MAX_PARTS, MAX_TEXT] = [2 ** 14, 64, 2 ** 16];

const [CR, DASH] = [0x0d, 0x2d];
const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
const END_OF_HEADERS = bytesOf("\r\n\r\n");
const invalid = () => httpError(400, "invalid_form", "The body is not multipart/form-data");

/** Yields the fields of a form, in order. `type`: its Content-Type. Throws the error to respond with. */
export async function* formParts(stream: AsyncIterable<Uint8Array>, type: string): AsyncGenerator<FormPart> {
  const [, quoted, plain] = /;\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))/i.exec(type) ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined) throw invalid();
  const delimiter = bytesOf(`\r\n--${boundary}`);
  const source = stream[Symbol.asyncIterator]();
  // With a line break before it, the first boundary is like the others.
  let buffered: Uint8Array = bytesOf("\r\n");
  const more = async (): Promise<void> => {
    const { done, value } = await source.next();
    if (done) throw invalid();
    buffered = buffered.length === 0 ? value : joinBytes([buffered, value]);
  };
  /** Yields the bytes before the next boundary, and skips that. */
  const before = async function* (): AsyncGenerator<Uint8Array> {
    for (;;) {
      const at = placeOf(buffered, delimiter);
      const end = at >= 0 ? at : Math.max(0, buffered.length - delimiter.length + 1);
      const piece = buffered.subarray(0, end);
      buffered = buffered.subarray(at >= 0 ? at + delimiter.length : end);
      if (piece.length > 0) yield piece;
      if (at >= 0) return;
      // The rest may be the beginning of a boundary. If not, the next piece is used without copying.
      const { done, value } = await source.next();
      if (done) throw invalid();
      const seam = joinBytes([buffered, value.subarray(0, delimiter.length)]);
      if (value.length < delimiter.length || placeOf(seam, delimiter) >= 0) buffered = joinBytes([buffered, value]);
      else {
        if (buffered.length > 0) yield buffered;
        buffered = value;
      }
    }
  };
  try {
    for await (const _ of before());
    for (let parts = 0;; parts++) {
      while (buffered.length < 2) await more();
      if (buffered[0] === DASH && buffered[1] === DASH) return;
      if (parts >= MAX_PARTS) throw httpError(400, "invalid_form", `A form may have at most ${MAX_PARTS} fields`);
      let end = placeOf(buffered, END_OF_HEADERS);
      for (; end < 0; end = placeOf(buffered, END_OF_HEADERS)) {
        if (buffered.length > MAX_HEADERS) throw invalid();
        await more();
      }
      const { name, filename } = dispositionOf(new TextDecoder().decode(buffered.subarray(0, end)));
      buffered = buffered.subarray(end + END_OF_HEADERS.length);
      // An empty part ends with its headers, whose last line break belongs to the boundary.
      const bytes = before();
      yield { name, filename, bytes };
      for await (const _ of bytes);
    }
  } finally {
    await source.return?.();
  }
}

/** Reads a field as text. Throws the error to respond with if it is too long. */
export async function textOf({ name, bytes }: FormPart): Promise<string> {
  const all: Uint8Array[] = [];
  let size = 0;
  for await (const piece of bytes) {
    size += piece.length;
    if (size > MAX_TEXT) throw httpError(400, "invalid_value", `${name}: at most ${MAX_TEXT} bytes are expected`, name);
    all.push(copyBytes(piece));
  }
  return new TextDecoder().decode(joinBytes(all));
}

/** Returns the position of a text that begins with a carriage return; -1: not found. */
function placeOf(bytes: Uint8Array, text: Uint8Array): number {
  for (let at = bytes.indexOf(CR); at >= 0 && at + text.length <= bytes.length; at = bytes.indexOf(CR, at + 1)) {
    let same = 1;
    while (same < text.length && bytes[at + same] === text[same]) same++;
    if (same === text.length) return at;
  }
  return -1;
}

function dispositionOf(headers: string): Readonly<{ name: string; filename: string | undefined }> {
  const line = headers.split("\r\n").find((header) => /^content-disposition\s*:\s*form-data\s*;/i.test(header));
  const field = (name: string): string | undefined => {
    const match = new RegExp(`;\\s*${name}=(?:"([^"]*)"|([^\\s;"]+))`, "i").exec(line ?? "");
    // Browsers escape characters that would end the name in this way.
    return (match?.[1] ?? match?.[2])?.replace(/%(22|0D|0A)/gi, (_, code) => String.fromCharCode(parseInt(code, 16)));
  };
  const name = field("name");
  if (name === undefined) throw invalid();
  return { name, filename: field("filename") };
}
