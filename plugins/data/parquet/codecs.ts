/** The codecs of Parquet that its reader lacks, loaded where a file needs one. */
import type { Compressors, FileMetaData } from "hyparquet/src/index.js";

/** What unpacks the pages of a file; undefined if its reader does. */
export async function codecsOf({ row_groups: groups }: FileMetaData): Promise<Compressors | undefined> {
  const known = ["UNCOMPRESSED", "SNAPPY"];
  const packed = groups.some(({ columns }) =>
    columns.some(({ meta_data: meta }) => !known.includes(meta?.codec ?? ""))
  );
  if (!packed) return undefined;
  const { compressors: { GZIP, BROTLI, LZ4, LZ4_RAW }, decompressZstd } = await import("hyparquet-compressors");
  return Object.fromEntries(
    // Into as many bytes as the page says: a frame may claim, and a few bytes may become, any number.
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

/** Throws Error if a page has other bytes than its header says. */
function exactly(unpack: Unpack): Unpack {
  return (input, length) => {
    const page = unpack(input, length);
    if (page.length !== length) throw new Error(`a page has ${page.length} bytes, its header says ${length}`);
    return page;
  };
}
