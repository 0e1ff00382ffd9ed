/** Text files, compressed or not, read in pieces: by lines or as one text, with a fingerprint of their bytes. */
import { joinBytes } from "../../core/base/bytes.ts";
import { type AttuneError, badFile, missing, refuseLfsPointer } from "../../core/base/errors.ts";
import { sha256 } from "../../core/base/sha256.ts";
import type { Host, Store } from "../../core/types.ts";
import { unpackBytes } from "./unpacked.ts";

/** Bytes read at once, and bytes from which the file's type is recognized. */
const [PIECE, BEGINNING] = [4 * 2 ** 20, 64 * 2 ** 10];

/** A file: its name in messages, its store and key, its full path if it has one, and a cache for derived data. */
export type FilePlace = Readonly<{ name: string; store: Store; key: string; path?: string; cache?: Store | undefined }>;

/** Returns the place of a file by its path, following links. Throws AttuneError if the host has no files. */
export function placeOf(plugin: string, path: string, host: Host): FilePlace {
  if (!host.directory) throw missing(plugin, "access to files", host.runtime);
  const address = host.resolve?.(path) ?? path;
  const full = host.realPath?.(address) ?? address;
  const cut = Math.max(full.lastIndexOf("/"), full.lastIndexOf("\\")) + 1;
  return { name: path, store: host.directory(full.slice(0, cut)), key: full.slice(cut), path: full, cache: host.cache };
}

/** A text file that is read once, from start to end, and decompressed on the way. */
export interface TextFile {
  /** The size in bytes, as stored. */
  readonly size: number;
  /** The lines without line ends. Throws AttuneError with the line's number if one is too long or not UTF-8. */
  lines(): AsyncIterable<Readonly<{ number: number; text: string }>>;
  /** The first few thousand bytes. */
  beginning(): Promise<Uint8Array>;
  /**
   * The whole text, in an encoding by its name on the web; a byte order mark has precedence. Throws AttuneError if
   * there are more than `limit` bytes, or bytes that are invalid in the encoding.
   */
  text(limit: number, encoding?: string): Promise<string>;
  /** The text in pieces of UTF-8. Throws AttuneError if bytes are invalid in the encoding. */
  utf8(encoding?: string): AsyncIterable<Uint8Array>;
  /** SHA-256 of the SHA-256 of each 4 MiB, available after reading: the web's digest does not accept streams. */
  fingerprint(): Promise<string>;
}

/** Longer lines are refused: a file without line ends is not line-based. */
const MAX_LINE = 64 * 2 ** 20;

/** Opens a file. Throws AttuneError if it does not exist, or changes while it is read. */
export async function openTextFile(plugin: string, { name: path, store, key }: FilePlace): Promise<TextFile> {
  const first = await store.get(key, { offset: 0, length: 0 });
  if (!first) throw badFile(plugin, path, "does not exist");
  const { size, revision } = first;
  const digests: string[] = [];
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  const stored = async function* (): AsyncIterable<Uint8Array> {
    for (let offset = 0; offset < size; offset += PIECE) {
      const piece = await store.get(key, { offset, length: PIECE });
      if (piece?.revision !== revision) throw badFile(plugin, path, "changed while it was read");
      if (offset === 0) refuseLfsPointer(plugin, path, piece.bytes);
      digests.push(await sha256(piece.bytes));
      yield piece.bytes;
    }
  };
  const pieces = (): AsyncIterable<Uint8Array> => unpackBytes(plugin, path, stored());
  const lineOf = (parts: readonly Uint8Array[], number: number): string => {
    checkLength(parts.reduce((n, part) => n + part.length, 0), number);
    try {
      const text = decoder.decode(joinBytes(parts));
      return number === 1 && text.startsWith("\uFEFF") ? text.slice(1) : text;
    } catch {
      throw badFile(plugin, `${path}, line ${number}`, "is not UTF-8");
    }
  };
  const checkLength = (bytes: number, number: number): void => {
    if (bytes > MAX_LINE) throw badFile(plugin, `${path}, line ${number}`, `is longer than ${MAX_LINE} bytes`);
  };
  return {
    size,
    lines: async function* () {
      let number = 1;
      let begun: Uint8Array[] = [];
      let begunBytes = 0;
      for await (const piece of pieces()) {
        let start = 0;
        for (let end = piece.indexOf(10); end >= 0; end = piece.indexOf(10, start)) {
          yield { number, text: lineOf([...begun, piece.subarray(start, end)], number) };
          [begun, begunBytes, start] = [[], 0, end + 1];
          number++;
        }
        if (start < piece.length) begun.push(piece.subarray(start));
        begunBytes += piece.length - start;
        checkLength(begunBytes, number);
      }
      if (begunBytes > 0) yield { number, text: lineOf(begun, number) };
    },
    beginning: async () => {
      for await (const piece of unpackBytes(plugin, path, storedPieces(store, key, size))) return piece;
      return new Uint8Array(0);
    },
    text: async (limit, encoding = "utf-8") => {
      const tooLong = (bytes: number): AttuneError =>
        badFile(plugin, path, `has ${bytes} bytes, more than ${limit}: split it, or convert it to JSON Lines`);
      if (size > limit) throw tooLong(size);
      const parts: string[] = [];
      let bytes = 0;
      let whole: TextDecoder | undefined;
      try {
        for await (const piece of pieces()) {
          bytes += piece.length;
          if (bytes > limit) throw tooLong(bytes);
          // The decoder drops a byte order mark.
          whole ??= new TextDecoder(encodingOf(piece) ?? encoding, { fatal: true });
          parts.push(whole.decode(piece, { stream: true }));
        }
        if (whole) parts.push(whole.decode());
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        throw badFile(plugin, path, notIn(whole?.encoding ?? encoding));
      }
      return parts.join("");
    },
    utf8: async function* (encoding = "utf-8") {
      let whole: TextDecoder | undefined;
      const encoder = new TextEncoder();
      const decoded = (piece?: Uint8Array): Uint8Array => {
        try {
          return encoder.encode(piece ? whole?.decode(piece, { stream: true }) : whole?.decode());
        } catch {
          throw badFile(plugin, path, notIn(whole?.encoding ?? encoding));
        }
      };
      for await (const piece of pieces()) {
        whole ??= new TextDecoder(encodingOf(piece) ?? encoding, { fatal: true });
        yield decoded(piece);
      }
      if (whole) yield decoded();
    },
    fingerprint: () => sha256(digests.join()),
  };
}

/** Returns the message for a file in another encoding. */
export function notIn(encoding: string): string {
  const others = encoding === "utf-8"
    ? ': "csv" reads other encodings with its option "encoding" ("cp1252", "latin-1", ...)'
    : "";
  return `is not ${encoding.toUpperCase()}${others}`;
}

/** Yields the bytes of a file in pieces. */
async function* storedPieces(store: Store, key: string, size: number): AsyncIterable<Uint8Array> {
  for (let offset = 0; offset < size; offset += BEGINNING) {
    const piece = await store.get(key, { offset, length: BEGINNING });
    if (piece) yield piece.bytes;
  }
}

/** Returns the encoding that a byte order mark indicates. */
export function encodingOf([a, b, c]: Uint8Array): string | undefined {
  if (a === 0xef && b === 0xbb && c === 0xbf) return "utf-8";
  return a === 0xff && b === 0xfe ? "utf-16le" : a === 0xfe && b === 0xff ? "utf-16be" : undefined;
}

/** Throws AttuneError if a file that must be UTF-8 has the byte order mark of UTF-16. */
export function refuseUtf16(plugin: string, name: string, beginning: Uint8Array): void {
  if (!encodingOf(beginning)?.startsWith("utf-16")) return;
  throw badFile(plugin, name, "is UTF-16, as its first bytes say: save it as UTF-8");
}
