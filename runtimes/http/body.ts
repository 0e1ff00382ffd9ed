/** Request bodies, read within limits of bytes and time, whatever the headers say. */
import { joinBytes } from "../../core/base/bytes.ts";
import { strictJson } from "../../core/base/json.ts";
import type * as v from "valibot";
import { checked, httpError } from "./responses.ts";
import { type FormPart, formParts } from "./multipart.ts";
import { collect } from "../../core/base/collect.ts";

/** A request's body. Every way of reading it fails with 413 beyond the limit. */
export type Incoming = Readonly<{
  /** The media type without parameters; "" if there is none. */
  type: string;
  /** Reads the bytes piece by piece, as they arrive. */
  parts(): AsyncIterable<Uint8Array<ArrayBuffer>>;
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  json<T>(schema: v.GenericSchema<unknown, T>): Promise<T>;
  /** Reads the fields of a form, one at a time. */
  form(): AsyncIterable<FormPart>;
  /** Reads JSON lines, one at a time. */
  lines<T>(schema: v.GenericSchema<unknown, T>): AsyncIterable<T>;
}>;

/** Limits of a body. `maxBytes`: for all media types, or by type; `seconds`: the time in which the body must arrive. */
export type BodyLimits = Readonly<{ maxBytes: number | Readonly<Record<string, number>>; seconds: number }>;

/** Bodies that have already been received, and requests whose bodies cannot be longer than their headers say. */
const [received, measured] = [new WeakMap<Request, Uint8Array<ArrayBuffer>>(), new WeakSet<Request>()];

/** Attaches a received body to a request, since reading a stream can take longer than handling the request. */
export function withBody(request: Request, bytes: Uint8Array<ArrayBuffer>): Request {
  received.set(request, bytes);
  return request;
}

/** Marks a request whose server enforces its Content-Length. */
export function withExactLength(request: Request): Request {
  measured.add(request);
  return request;
}

/** Bytes up to which the bodies of such requests are read at once. */
const SHORT = 2 ** 16;

/** The longest line of JSON lines that is accepted, in bytes. */
const MAX_LINE = 2 ** 20;

/** Returns the body of a request. Throws the error to respond with if the stated length is too large. */
export function incomingOf(request: Request, { maxBytes: most, seconds }: BodyLimits): Incoming {
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  // Other types will be refused; they may be as large as the smallest limit.
  const maxBytes = typeof most === "number"
    ? most
    : Object.hasOwn(most, type)
    ? most[type] ?? 0
    : Math.min(...Object.values(most));
  const tooLarge = () => httpError(413, "body_too_large", `The body may have at most ${maxBytes} bytes`);
  const said = request.headers.get("content-length");
  if (said !== null && Number(said) > maxBytes) throw tooLarge();
  const coding = request.headers.get("content-encoding") ?? "identity";
  if (coding.toLowerCase() !== "identity") {
    throw httpError(415, "unsupported_encoding", "The body's Content-Encoding is not supported: send it uncompressed");
  }
  const wants = (...types: readonly string[]): void => {
    if (!types.includes(type)) {
      throw httpError(400, "unsupported_media_type", `Content-Type: ${types.join(" or ")} is expected`);
    }
  };
  const cached = received.get(request);
  if (cached && cached.length > maxBytes) throw tooLarge();
  const parts = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    if (cached) return yield cached;
    const reader = (request.body as ReadableStream<Uint8Array<ArrayBuffer>> | null)?.getReader();
    if (!reader) return;
    let late = false;
    // A timer rather than a race with each piece, which would keep all pieces in memory until the time is over.
    const timer = setTimeout(() => {
      late = true;
      void reader.cancel().catch(() => {});
    }, 1000 * seconds);
    let bytes = 0;
    try {
      while (true) {
        const part = await reader.read().catch(() => undefined);
        if (late) throw tooSlow(seconds);
        if (!part) throw lost();
        if (part.done) return;
        bytes += part.value.length;
        if (bytes > maxBytes) throw tooLarge();
        yield part.value;
      }
    } finally {
      clearTimeout(timer);
      void reader.cancel().catch(() => {});
    }
  };
  const isShort = said !== null && Number(said) <= SHORT && measured.has(request);
  const bytes = async (): Promise<Uint8Array<ArrayBuffer>> => {
    if (cached) return cached;
    if (isShort) return await atOnce(request, seconds);
    const all = await collect(parts());
    return joinBytes(all);
  };
  return {
    type,
    parts,
    bytes,
    json: async (schema) => {
      wants("application/json");
      return checked(schema, parseJson(await bytes()));
    },
    form: async function* () {
      wants("multipart/form-data");
      yield* formParts(parts(), request.headers.get("content-type") ?? "");
    },
    lines: async function* (schema) {
      wants("application/x-ndjson", "application/jsonl");
      let number = 0;
      for await (const line of linesOf(parts())) {
        number++;
        const where = `line ${number}`;
        if (line.length > 0 && line.some((byte) => byte > 0x20)) yield checked(schema, parseJson(line, where), where);
      }
    },
  };
}

const tooSlow = (seconds: number) => httpError(408, "body_too_slow", `The body took longer than ${seconds} s`);
const lost = () => httpError(400, "body_lost", "The body ended too early");

/** Reads a body whose length is known to be small. */
async function atOnce(request: Request, seconds: number): Promise<Uint8Array<ArrayBuffer>> {
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(tooSlow(seconds)), 1000 * seconds);
    request.arrayBuffer().then((buffer) => resolve(new Uint8Array(buffer)), () => reject(lost()))
      .finally(() => clearTimeout(timer));
  });
}

/** Parses JSON in UTF-8, and refuses what parsers read differently. Throws the error to respond with. */
export function parseJson(bytes: Uint8Array, where = "The body"): unknown {
  try {
    return strictJson(bytes);
  } catch (cause) {
    throw httpError(400, "invalid_json", `${where} is not JSON: ${cause instanceof Error ? cause.message : cause}`);
  }
}

async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array[] = [];
  let buffered = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      yield joinBytes([...rest, chunk.subarray(from, end)]);
      [rest, buffered, from] = [[], 0, end + 1];
    }
    buffered += chunk.length - from;
    if (buffered > MAX_LINE) throw httpError(413, "line_too_large", `A line may have at most ${MAX_LINE} bytes`);
    if (from < chunk.length) rest.push(chunk.subarray(from));
  }
  if (buffered > 0) yield joinBytes(rest);
}
