/**
 * Text files of a host, in pieces: by lines or as one text, with a fingerprint of their bytes.
 * @module
 */
import { joinBytes } from "../../core/bytes.ts";
import { badFile, missing, refusePointer } from "../../core/errors.ts";
import { sha256 } from "../../core/fingerprint.ts";
import type { Host } from "../../core/types.ts";

/** Bytes read at once. */
const PIECE = 4 * 2 ** 20;

/** A file that is read once, from its start to its end. */
export interface TextFile {
  /** Bytes. */
  readonly size: number;
  /** The lines without their ends, from line 1. Throws AttuneError with the line's number where it is too long or not UTF-8. */
  lines(): AsyncIterable<Readonly<{ number: number; text: string }>>;
  /** The whole text. Throws AttuneError where the file has more bytes than `limit` or is not UTF-8. */
  text(limit: number): Promise<string>;
  /** SHA-256 over the SHA-256 of each 4 MiB, once everything was read: the web's digest takes no streams. */
  fingerprint(): Promise<string>;
}

/** Longer lines are refused: a file without line ends is not one of lines. */
const MAX_LINE = 64 * 2 ** 20;

/** Opens a file by its path. Throws AttuneError where the host has no files or there is none of that name. */
export async function openTextFile(plugin: string, path: string, host: Host): Promise<TextFile> {
  if (!host.directory) throw missing(plugin, "access to files", host.runtime);
  const full = host.resolve?.(path) ?? path;
  const cut = Math.max(full.lastIndexOf("/"), full.lastIndexOf("\\"));
  const store = host.directory(full.slice(0, cut + 1));
  const key = full.slice(cut + 1);
  const first = await store.get(key, { offset: 0, length: 0 });
  if (!first) throw badFile(plugin, path, "does not exist");
  const { size, revision } = first;
  const digests: string[] = [];
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  const pieces = async function* (): AsyncIterable<Uint8Array> {
    for (let offset = 0; offset < size; offset += PIECE) {
      const piece = await store.get(key, { offset, length: PIECE });
      if (piece?.revision !== revision) throw badFile(plugin, path, "changed while it was read");
      if (offset === 0) refusePointer(plugin, path, piece.bytes);
      digests.push(await sha256(piece.bytes));
      yield piece.bytes;
    }
  };
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
    text: async (limit) => {
      if (size > limit) {
        throw badFile(plugin, path, `has ${size} bytes, more than ${limit}: split it, or make it JSON lines`);
      }
      // A byte order mark is dropped by the decoder.
      const whole = new TextDecoder("utf-8", { fatal: true });
      const parts: string[] = [];
      try {
        for await (const piece of pieces()) parts.push(whole.decode(piece, { stream: true }));
        parts.push(whole.decode());
      } catch (error) {
        throw error instanceof TypeError ? badFile(plugin, path, "is not UTF-8") : error;
      }
      return parts.join("");
    },
    fingerprint: () => sha256(digests.join()),
  };
}
