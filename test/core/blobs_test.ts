import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Blob, deleteBlob, getBlob, type Objects, putBlob } from "../../core/files/blobs.ts";

const MiB = 2 ** 20;
const byteAt = (i: number): number => (i * 7 + (i >> 13)) % 251;
const bytes = Uint8Array.from({ length: 9 * MiB + 5 }, (_, i) => byteAt(i));

/** Objects in memory. `refused`: the one that cannot be written. */
function objects(refused?: number): Objects & { readonly all: Map<string, Uint8Array> } {
  const all = new Map<string, Uint8Array>();
  return {
    all,
    put: (name, piece) => {
      if (all.size === refused) return Promise.reject(new Error("no room"));
      all.set(name, piece.slice());
      return Promise.resolve();
    },
    get: (name, offset, length) => Promise.resolve(all.get(name)?.slice(offset, offset + length)),
    delete: (name) => Promise.resolve(all.delete(name)),
  };
}

/** A stream whose parts lie in one buffer that is used again. `requestStop`: is told how much has come before each part. */
async function* streamed(
  from: Uint8Array,
  size: number,
  asked: (sent: number) => void = () => {},
): AsyncGenerator<Uint8Array> {
  const part = new Uint8Array(size);
  for (let at = 0; at < from.length; at += size) {
    asked(at);
    const own = from.subarray(at, at + size);
    part.set(own);
    yield part.subarray(0, own.length);
  }
}

describe("large values of stores", () => {
  it("are objects of 4 MiB, which are read in ranges", async () => {
    for (const content of [bytes, streamed(bytes, 700_001)]) {
      const to = objects();
      const blob = await putBlob(to, "b", content, 1000) as Blob;
      assert.deepEqual(blob, { blob: "b", size: bytes.length, piece: 4 * MiB });
      assert.deepEqual([...to.all].map(([name, own]) => [name, own.length]), [
        ["b.0", 4 * MiB],
        ["b.1", 4 * MiB],
        ["b.2", MiB + 5],
      ]);
      for (const [from, length] of [[0, bytes.length], [4 * MiB - 3, 6], [bytes.length - 2, 10], [5, 0]] as const) {
        assert.deepEqual(await getBlob(to, blob, from, length), bytes.slice(from, from + length));
      }
      await deleteBlob(to, blob);
      assert.equal(to.all.size, 0);
    }
  });
  it("are written as they come", async () => {
    const to = objects();
    const behind: number[] = [];
    await putBlob(to, "b", streamed(bytes, MiB, (sent) => behind.push(sent / MiB - 4 * to.all.size)), 0);
    assert.ok(Math.max(...behind) <= 8, behind.join());
  });
  it("are bytes where they are few", async () => {
    const to = objects();
    const few = bytes.slice(0, 1000);
    assert.deepEqual(await putBlob(to, "b", few, 1000), few);
    assert.deepEqual(await putBlob(to, "b", streamed(few, 7), 1000), few);
    assert.deepEqual(await putBlob(to, "b", streamed(few.slice(0, 0), 7), 1000), new Uint8Array());
    assert.equal(to.all.size, 0);
    assert.deepEqual(await putBlob(to, "b", few, 999), { blob: "b", size: 1000, piece: 4 * MiB });
  });
  it("leave nothing where they cannot be kept, and are an error where an object is gone", async () => {
    const to = objects(2);
    await assert.rejects(putBlob(to, "b", bytes, 0), /no room/);
    assert.equal(to.all.size, 0);
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes;
      throw new Error("the sender has gone");
    };
    const other = objects();
    await assert.rejects(putBlob(other, "b", broken(), 0), /has gone/);
    assert.equal(other.all.size, 0);
    const kept = await putBlob(other, "b", bytes, 0) as Blob;
    other.all.delete("b.1");
    await assert.rejects(getBlob(other, kept, 0, bytes.length), /missing/);
  });
});
