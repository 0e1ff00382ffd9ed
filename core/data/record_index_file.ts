/** The index of a file's records, and its form in the cache. */
import { joinBytes } from "../base/bytes.ts";
import { keepBytes, keptBytes } from "./cached.ts";
import type { Store } from "../types.ts";

/** For the first record of each block: its index, its offset, and the number that people find it by. */
export type RecordIndex = Readonly<{
  count: number;
  /** The offset at which the last record ends. */
  end: number;
  fingerprint: string;
  longest: readonly number[];
  firsts: Float64Array;
  offsets: Float64Array;
  numbers: Float64Array;
}>;

const FOLDER = "records";

/** Reads the cached index for `parts`, which name all it depends on; undefined if there is none or it is damaged. */
export async function readIndex(cache: Store | undefined, parts: readonly unknown[]): Promise<RecordIndex | undefined> {
  const bytes = await keptBytes(cache, FOLDER, parts);
  if (!bytes) return undefined;
  const start = bytes.indexOf(10) + 1;
  const { blocks, ...header } = JSON.parse(new TextDecoder().decode(bytes.subarray(0, start)));
  const column = (i: number): Float64Array =>
    new Float64Array(bytes.slice(start + 8 * i * blocks, start + 8 * (i + 1) * blocks).buffer);
  return { ...header, firsts: column(0), offsets: column(1), numbers: column(2) };
}

/** Caches an index. If that fails, as on a full disk, the next run builds it again. */
export async function writeIndex(
  cache: Store | undefined,
  parts: readonly unknown[],
  { firsts, offsets, numbers, ...header }: RecordIndex,
): Promise<void> {
  const columns = [firsts, offsets, numbers].map(({ buffer }) => new Uint8Array(buffer as ArrayBuffer));
  const head = new TextEncoder().encode(`${JSON.stringify({ ...header, blocks: firsts.length })}\n`);
  await keepBytes(cache, FOLDER, parts, joinBytes([head, ...columns]));
}
