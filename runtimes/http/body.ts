/** A request's body, read within a limit of bytes and of time, whatever its headers say. */
import { joinBytes } from "../../core/base/bytes.ts";
import { strictJson } from "../../core/base/json.ts";
import type * as v from "valibot";
import { checked, httpError } from "./responses.ts";
import { type FormPart, formParts } from "./multipart.ts";
import { collect } from "../../core/base/collect.ts";

/** A request's body. Every way of reading it ends with 413 beyond the limit. */
export type Incoming = Readonly<{
  /** The media type, without parameters; "" where none is said. */
  type: string;
  /** Piece by piece, as they come. */
  parts(): AsyncIterable<Uint8Array<ArrayBuffer>>;
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  json<T>(schema: v.GenericSchema<unknown, T>): Promise<T>;
  /** The fields of a form, one at a time. */
  form(): AsyncIterable<FormPart>;
  /** JSON lines, one at a time. */
  lines<T>(schema: v.GenericSchema<unknown, T>): AsyncIterable<T>;
}>;

/** How a body is read. `maxBytes`: of all media types, or of each; `seconds`: for how long it may come. */
export type BodyLimits = Readonly<{ maxBytes: number | Readonly<Record<string, number>>; seconds: number }>;

/** Bodies that are here already, and requests of whose bodies no more comes than their headers say. */
const [received, measured] = [new WeakMap<Request, Uint8Array<ArrayBuffer>>(), new WeakSet<Request>()];

/** The same request, whose body this is: streams take longer than many a request. */
export function withBody(request: Request, bytes: Uint8Array<ArrayBuffer>): Request {
  received.set(request, bytes);
  return request;
}

/** The same request, of whose body its server hands out no more than Content-Length says. */
export function withExactLength(request: Request): Request {
  measured.add(request);
  return request;
}

/** Bodies of such requests that are no longer are read at once. */
const SHORT = 2 ** 16;

/** A line of JSON lines that is longer is refused. */
const MAX_LINE = 2 ** 20;

/** The body of a request. Throws what a route throws if its length alone is too much. */
export function incomingOf(request: Request, { maxBytes: most, seconds }: BodyLimits): Incoming {
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  // What is none of the types will be refused: it may be as large as the smallest.
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
    // Not a race against each piece: what waits for the end of the time would hold all of them until then.
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

/** A body whose length is known to be small. */
async function atOnce(request: Request, seconds: number): Promise<Uint8Array<ArrayBuffer>> {
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(tooSlow(seconds)), 1000 * seconds);
    request.arrayBuffer().then((buffer) => resolve(new Uint8Array(buffer)), () => reject(lost()))
      .finally(() => clearTimeout(timer));
  });
}

/** JSON in UTF-8 without what parsers disagree about. Throws what a route throws. */
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
