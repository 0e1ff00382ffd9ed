/** Decompression on the fly: gzip and Zstandard, recognized by their first bytes. */
import { AttuneError, badFile } from "../../core/base/errors.ts";
import { zstdBlocks } from "./zstd_frames.ts";

/** Yields bytes, decompressed if they begin like a compressed file. Throws AttuneError if they are damaged. */
export async function* unpackBytes(
  plugin: string,
  name: string,
  pieces: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  const all = pieces[Symbol.asyncIterator]();
  const first = await all.next();
  if (first.done) return;
  const allBytes = async function* (): AsyncGenerator<Uint8Array> {
    yield first.value;
    for (let next = await all.next(); !next.done; next = await all.next()) yield next.value;
  };
  try {
    const packing = packingOf(first.value);
    if (packing === "gzip") yield* gunzipped(allBytes());
    else if (packing === "zstd") yield* unzstd(allBytes());
    else yield* allBytes();
  } catch (cause) {
    if (cause instanceof AttuneError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw badFile(plugin, name, `cannot be decompressed (${why || "it is damaged, or ends too early"})`);
  } finally {
    await all.return?.();
  }
}

/** Returns a file's compression, by its first bytes. */
export function packingOf(bytes: Uint8Array): "gzip" | "zstd" | undefined {
  const begins = (...magic: number[]): boolean => magic.every((byte, i) => bytes[i] === byte);
  return begins(0x1f, 0x8b, 8) ? "gzip" : begins(0x28, 0xb5, 0x2f, 0xfd) ? "zstd" : undefined;
}

/** Binary formats by their first bytes, and what to do with such files. */
const binary: readonly (readonly [string, string])[] = [
  ["BZh", 'is packed with bzip2: ".gz" and ".zst" are unpacked'],
  ["\xFD7zXZ", 'is packed with xz: ".gz" and ".zst" are unpacked'],
  ["7z\xBC\xAF", 'is a 7z archive: ".gz" and ".zst" are unpacked'],
  ["PK\x03\x04", "is a ZIP archive, as .zip and .xlsx files are: take the files out of it, save a sheet as CSV"],
  ["\xD0\xCF\x11\xE0", "is a document of Microsoft Office: save its sheet as CSV"],
  ["PAR1", 'is a Parquet file: `"use": "parquet"` reads it'],
  ["ARROW1", 'is an Arrow file: `"use": "arrow"` reads it'],
  ["%PDF", "is a PDF document"],
];

/** Throws AttuneError, naming the format, if a file's first bytes are those of a known binary format. */
export function refuseBinary(name: string, bytes: Uint8Array): void {
  const begin = String.fromCharCode(...bytes.subarray(0, 8));
  const isTar = String.fromCharCode(...bytes.subarray(257, 262)) === "ustar";
  if (isTar) throw badFile("data", name, "is a tar archive, as those of WebDataset are: take the files out of it");
  const [, problem] = binary.find(([magic]) => begin.startsWith(magic)) ?? [];
  if (problem !== undefined) throw badFile("data", name, problem);
}

/** Bytes decompressed at once, to at most a thousand times as many: some runtimes do not pause in between. */
const GZIP_PIECE = 64 * 2 ** 10;

async function* gunzipped(pieces: AsyncGenerator<Uint8Array>): AsyncIterable<Uint8Array> {
  let left: Uint8Array = new Uint8Array();
  const source = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      if (left.length === 0) {
        const next = await pieces.next();
        if (next.done) return controller.close();
        left = next.value;
      }
      controller.enqueue(left.subarray(0, GZIP_PIECE));
      left = left.subarray(GZIP_PIECE);
    },
    cancel: async () => void await pieces.return(undefined),
  });
  const stream = new DecompressionStream("gzip") as unknown as ReadableWritablePair<Uint8Array, Uint8Array>;
  const reader = source.pipeThrough(stream).getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel().catch(() => {});
  }
}

async function* unzstd(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const { Decompress } = await import("fzstd");
  const ready: Uint8Array[] = [];
  const stream = new Decompress((piece) => {
    // The library reuses the buffer that it returned.
    if (piece.length > 0) ready.push(piece.slice());
  });
  for await (const block of zstdBlocks(pieces)) {
    stream.push(block);
    yield* ready.splice(0);
  }
  stream.push(new Uint8Array(0), true);
  yield* ready.splice(0);
}
