/** Large files are hashed once, not at each open, and again where they are others. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { parquetWriteBuffer } from "hyparquet-writer";
import { createRandom } from "../../../core/math/random.ts";
import type { Host, Store } from "../../../core/types.ts";
import { parquet } from "../../../plugins/data/parquet.ts";
import { directoryStore } from "../../../runtimes/host/directory_store.ts";
import { hostHere } from "../../../runtimes/host/train.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-digest-"));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, "large.parquet");
const random = createRandom(1);
const text = (i: number): string =>
  Array.from({ length: 500 }, (_, k) => random.bits(500 * i + k).toString(36)).join(" ");
const columnData = [{ name: "text", data: Array.from({ length: 4000 }, (_, i) => text(i)), type: "STRING" as const }];
writeFileSync(path, new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 1000 })));

/** Opens the file: its fingerprint, and how many bytes of it were read for that. */
async function opened(cache: Store | undefined): Promise<Readonly<{ fingerprint: string; bytes: number }>> {
  const host = await hostHere(1);
  let bytes = 0;
  const directory: Host["directory"] = (root) => {
    const store = directoryStore(root);
    return {
      ...store,
      get: async (key, range) => {
        const file = await store.get(key, range);
        bytes += file?.bytes.length ?? 0;
        return file;
      },
    };
  };
  const { cache: _, ...others } = host;
  const rows = await parquet({ path }).open({ ...others, directory, ...(cache ? { cache } : {}) });
  return { fingerprint: rows.fingerprint, bytes };
}

it("a large Parquet file is hashed once, and again where it or what was kept of it is another", async () => {
  const file = readFileSync(path);
  assert.ok(file.length > 8 * 2 ** 20, `${file.length}`);
  const cache = directoryStore(join(folder, "cache"));
  const { fingerprint, bytes } = await opened(undefined);
  assert.ok(bytes >= file.length);
  assert.ok((await opened(cache)).bytes >= file.length);
  const again = await opened(cache);
  assert.equal(again.fingerprint, fingerprint);
  assert.ok(again.bytes < 2 ** 20 && again.bytes > 0, `${again.bytes}`);
  const [kept = ""] = readdirSync(join(folder, "cache", "digests"));
  truncateSync(join(folder, "cache", "digests", kept), 100);
  assert.equal((await opened(cache)).fingerprint, fingerprint);
  assert.ok((await opened(cache)).bytes < 2 ** 20);
  // A byte in the middle: size, name and end are the same.
  writeFileSync(path, file.map((byte, i) => (i === 2 ** 22 ? byte ^ 1 : byte)));
  const other = await opened(cache);
  assert.notEqual(other.fingerprint, fingerprint);
  assert.equal(other.fingerprint, (await opened(undefined)).fingerprint);
});
