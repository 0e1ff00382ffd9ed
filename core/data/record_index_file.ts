/** What is noted of a file's records, as it is kept in a cache. */
import { joinBytes } from "../base/bytes.ts";
import { keepBytes, keptBytes } from "./cached.ts";
import type { Store } from "../types.ts";

/** Where records are: of the first one of each block its number among all, where it begins, and by which number a person finds it. */
export type RecordIndex = Readonly<{
  count: number;
  /** Where the last one ends. */
  end: number;
  fingerprint: string;
  longest: readonly number[];
  firsts: Float64Array;
  offsets: Float64Array;
  numbers: Float64Array;
}>;

const FOLDER = "records";

/** Reads the index of a file, named by what it depends on; undefined if there is none, or it is not whole. */
export async function readIndex(cache: Store | undefined, parts: readonly unknown[]): Promise<RecordIndex | undefined> {
  const bytes = await keptBytes(cache, FOLDER, parts);
  if (!bytes) return undefined;
  const start = bytes.indexOf(10) + 1;
  const { blocks, ...header } = JSON.parse(new TextDecoder().decode(bytes.subarray(0, start)));
  const column = (i: number): Float64Array =>
    new Float64Array(bytes.slice(start + 8 * i * blocks, start + 8 * (i + 1) * blocks).buffer);
  return { ...header, firsts: column(0), offsets: column(1), numbers: column(2) };
}

/** Keeps an index. Where it cannot be kept, as on a disk that is full, the next run makes it again. */
export async function writeIndex(
  cache: Store | undefined,
  parts: readonly unknown[],
  { firsts, offsets, numbers, ...header }: RecordIndex,
): Promise<void> {
  const columns = [firsts, offsets, numbers].map(({ buffer }) => new Uint8Array(buffer as ArrayBuffer));
  const head = new TextEncoder().encode(`${JSON.stringify({ ...header, blocks: firsts.length })}\n`);
  await keepBytes(cache, FOLDER, parts, joinBytes([head, ...columns]));
}
