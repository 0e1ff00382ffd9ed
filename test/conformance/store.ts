/**
 * What every store must do. Exported for plugin authors.
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Store } from "../../core/types.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (found: { bytes: Uint8Array } | undefined): string | undefined =>
  found && new TextDecoder().decode(found.bytes);

/** Registers the battery; `make` gives an empty store each time. */
export function testStore(name: string, make: () => Promise<Store>): void {
  describe(`store ${name}`, () => {
    it("gives back what was put, whole and in ranges", async () => {
      const store = await make();
      assert.equal(await store.get("a"), undefined);
      await store.put("dir/a.txt", bytes("hello"));
      assert.equal(text(await store.get("dir/a.txt")), "hello");
      const part = await store.get("dir/a.txt", { offset: 1, length: 3 });
      assert.deepEqual([text(part), part?.size], ["ell", 5]);
      assert.equal(text(await store.get("dir/a.txt", { offset: 3, length: 100 })), "lo");
    });
    it("takes streams", async () => {
      const store = await make();
      await store.put(
        "s",
        (async function* () {
          yield bytes("one ");
          yield bytes("two");
        })(),
      );
      assert.equal(text(await store.get("s")), "one two");
    });
    it("writes only if nothing else did", async () => {
      const store = await make();
      const first = await store.put("k", bytes("1"), { if: null });
      assert.notEqual(first, "conflict");
      assert.equal(await store.put("k", bytes("2"), { if: null }), "conflict");
      if (first === "conflict") return;
      const second = await store.put("k", bytes("22"), { if: first.revision });
      assert.notEqual(second, "conflict");
      assert.equal(await store.put("k", bytes("333"), { if: first.revision }), "conflict");
      assert.equal(await store.delete("k", { if: first.revision }), "conflict");
      assert.equal(text(await store.get("k")), "22");
    });
    it("lists by prefix, in order, and forgets what is deleted", async () => {
      const store = await make();
      for (const key of ["b/2", "a/1", "b/1"]) await store.put(key, bytes(key));
      const keys = async (prefix: string): Promise<string[]> => {
        const found: string[] = [];
        for await (const { key } of store.list(prefix)) found.push(key);
        return found;
      };
      assert.deepEqual(await keys(""), ["a/1", "b/1", "b/2"]);
      assert.deepEqual(await keys("b/"), ["b/1", "b/2"]);
      assert.equal(await store.delete("b/1"), "done");
      assert.equal(await store.delete("b/1"), "done");
      assert.deepEqual(await keys("b"), ["b/2"]);
    });
    it("adds to the end, where it can", async () => {
      const store = await make();
      if (!store.append) return;
      await store.append("log", bytes("a\n"));
      await store.append("log", bytes("b\n"));
      assert.equal(text(await store.get("log")), "a\nb\n");
    });
  });
}
