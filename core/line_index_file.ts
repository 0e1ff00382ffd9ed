/**
 * What is noted of a file's lines, as it is kept in a cache.
 * @module
 */
import { joinBytes } from "./bytes.ts";
import { sha256 } from "./fingerprint.ts";
import type { Store } from "./types.ts";

/** Where lines are: the number of the first line of each block among those that are not empty, where it begins, and its number in the file. */
export type LineIndex = Readonly<{
  count: number;
  fingerprint: string;
  longest: readonly number[];
  firsts: Float64Array;
  offsets: Float64Array;
  numbers: Float64Array;
}>;

/** The form of these files: another one is another name. */
const MAGIC = "attune lines 1\n";

/** Bytes of a SHA-256 in hexadecimal. */
const DIGEST = 64;

/** Reads an index; undefined where there is none, or it is not whole. A cache that fails is as one that is empty. */
export async function readIndex(cache: Store | undefined, key: string): Promise<LineIndex | undefined> {
  const file = await cache?.get(key).catch(() => undefined);
  if (!file) return undefined;
  const { bytes } = file;
  const body = bytes.subarray(0, Math.max(0, bytes.length - DIGEST));
  const text = (from: number, to: number): string => new TextDecoder().decode(bytes.subarray(from, to));
  if (text(body.length, bytes.length) !== await sha256(body) || text(0, MAGIC.length) !== MAGIC) return undefined;
  const start = bytes.indexOf(10, MAGIC.length) + 1;
  const { blocks, ...header } = JSON.parse(text(MAGIC.length, start));
  const column = (i: number): Float64Array =>
    new Float64Array(body.slice(start + 8 * i * blocks, start + 8 * (i + 1) * blocks).buffer);
  return { ...header, firsts: column(0), offsets: column(1), numbers: column(2) };
}

/** Keeps an index. Where it cannot be kept, as on a disk that is full, the next run makes it again. */
export async function writeIndex(cache: Store | undefined, key: string, index: LineIndex): Promise<void> {
  if (!cache) return;
  const { firsts, offsets, numbers, ...header } = index;
  const parts = [firsts, offsets, numbers].map(({ buffer }) => new Uint8Array(buffer as ArrayBuffer));
  const head = new TextEncoder().encode(`${MAGIC}${JSON.stringify({ ...header, blocks: firsts.length })}\n`);
  const body = joinBytes([head, ...parts]);
  const digest = new TextEncoder().encode(await sha256(body));
  await cache.put(key, joinBytes([body, digest])).catch(() => {});
}
