/** Text files, packed or not, in pieces: by lines or as one text, with a fingerprint of their bytes. */
import { joinBytes } from "../../core/base/bytes.ts";
import { type AttuneError, badFile, missing, refusePointer } from "../../core/base/errors.ts";
import { sha256 } from "../../core/base/sha256.ts";
import type { Host, Store } from "../../core/types.ts";
import { unpackBytes } from "./unpacked.ts";

/** Bytes read at once, and those that tell what a file is. */
const [PIECE, BEGINNING] = [4 * 2 ** 20, 64 * 2 ** 10];

/** A file: its name in messages, where it is, its whole path where it has one, and where what is noted of it is kept. */
export type FilePlace = Readonly<{ name: string; store: Store; key: string; path?: string; cache?: Store | undefined }>;

/** The place of a file by its path, which may lead through links. Throws AttuneError if the host has no files. */
export function placeOf(plugin: string, path: string, host: Host): FilePlace {
  if (!host.directory) throw missing(plugin, "access to files", host.runtime);
  const address = host.resolve?.(path) ?? path;
  const full = host.realPath?.(address) ?? address;
  const cut = Math.max(full.lastIndexOf("/"), full.lastIndexOf("\\")) + 1;
  return { name: path, store: host.directory(full.slice(0, cut)), key: full.slice(cut), path: full, cache: host.cache };
}

/** A file, unpacked where it is packed, that is read once, from its start to its end. */
export interface TextFile {
  /** Bytes, as they lie there. */
  readonly size: number;
  /** The lines without their ends, from line 1. Throws AttuneError with the line's number where it is too long or not UTF-8. */
  lines(): AsyncIterable<Readonly<{ number: number; text: string }>>;
  /** The first bytes, some thousands of them. */
  beginning(): Promise<Uint8Array>;
  /**
   * The whole text, in an encoding as the web names it; a byte order mark says it too. Throws AttuneError if there are
   * more bytes than `limit`, or others than the encoding has.
   */
  text(limit: number, encoding?: string): Promise<string>;
  /** All of it in pieces, in UTF-8. Throws AttuneError if there are other bytes than the encoding has. */
  utf8(encoding?: string): AsyncIterable<Uint8Array>;
  /** SHA-256 over the SHA-256 of each 4 MiB, once everything was read: the web's digest takes no streams. */
  fingerprint(): Promise<string>;
}

/** Longer lines are refused: a file without line ends is not one of lines. */
const MAX_LINE = 64 * 2 ** 20;

/** Opens a file. Throws AttuneError if there is none of that name, or if it has changed while it is read. */
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
      if (offset === 0) refusePointer(plugin, path, piece.bytes);
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
          // A byte order mark is dropped by the decoder.
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

/** What is said of a file in another encoding. */
export function notIn(encoding: string): string {
  const others = encoding === "utf-8"
    ? ': "csv" reads other encodings with its option "encoding" ("cp1252", "latin-1", ...)'
    : "";
  return `is not ${encoding.toUpperCase()}${others}`;
}

/** Bytes of a file from its start, in pieces. */
async function* storedPieces(store: Store, key: string, size: number): AsyncIterable<Uint8Array> {
  for (let offset = 0; offset < size; offset += BEGINNING) {
    const piece = await store.get(key, { offset, length: BEGINNING });
    if (piece) yield piece.bytes;
  }
}

/** The encoding that a byte order mark tells. */
export function encodingOf([a, b, c]: Uint8Array): string | undefined {
  if (a === 0xef && b === 0xbb && c === 0xbf) return "utf-8";
  return a === 0xff && b === 0xfe ? "utf-16le" : a === 0xfe && b === 0xff ? "utf-16be" : undefined;
}

/** Throws AttuneError if a file that has to be in UTF-8 says that it is in UTF-16. */
export function refuseUtf16(plugin: string, name: string, beginning: Uint8Array): void {
  if (!encodingOf(beginning)?.startsWith("utf-16")) return;
  throw badFile(plugin, name, "is UTF-16, as its first bytes say: save it as UTF-8");
}
