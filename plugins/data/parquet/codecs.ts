/** Parquet codecs that the reader lacks, loaded on demand. */
import type { Compressors, FileMetaData } from "hyparquet/src/index.js";

/** Returns the decompressors for a file; undefined if the reader's suffice. */
export async function codecsOf({ row_groups: groups }: FileMetaData): Promise<Compressors | undefined> {
  const known = ["UNCOMPRESSED", "SNAPPY"];
  const packed = groups.some(({ columns }) =>
    columns.some(({ meta_data: meta }) => !known.includes(meta?.codec ?? ""))
  );
  if (!packed) return undefined;
  const { compressors: { GZIP, BROTLI, LZ4, LZ4_RAW }, decompressZstd } = await import("hyparquet-compressors");
  return Object.fromEntries(
    // Decompresses to the size in the page's header: frames may claim, or expand to, any size.
    Object.entries({
      GZIP,
      BROTLI,
      LZ4,
      LZ4_RAW,
      ZSTD: (input: Uint8Array, length: number) => decompressZstd(input, new Uint8Array(length)),
    })
      .map(([codec, unpack]) => [codec, unpack && exactly(unpack)]),
  );
}

type Unpack = NonNullable<Compressors[keyof Compressors]>;

/** Throws Error if a page's decompressed size is not the one in its header. */
function exactly(unpack: Unpack): Unpack {
  return (input, length) => {
    const page = unpack(input, length);
    if (page.length !== length) throw new Error(`a page has ${page.length} bytes, its header says ${length}`);
    return page;
  };
}
