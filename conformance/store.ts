/** Checks of stores. */
import { assert } from "./assert.ts";
import { type Check, check } from "./check.ts";
import type { Store } from "../kit.ts";

/** Opens an empty store. Default: `open` of the plugin. */
export type StoreFigures = Readonly<{ open?: () => Promise<Store> }>;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (object: { bytes: Uint8Array } | undefined): string | undefined =>
  object && new TextDecoder().decode(object.bytes);
const keysOf = async (store: Store, prefix: string): Promise<string[]> => {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
};

/** Returns the checks of a store; `make` creates an empty store each time. */
export function storeChecks(make: () => Promise<Store>): readonly Check[] {
  return [...keeping(make), ...writing(make)];
}

/** Returns the checks of reading and writing. */
function keeping(make: () => Promise<Store>): readonly Check[] {
  return [
    check("gives back what was put, whole and in ranges", async () => {
      const store = await make();
      assert.equal(await store.get("a"), undefined);
      await store.put("dir/a.txt", bytes("hello"));
      assert.equal(text(await store.get("dir/a.txt")), "hello");
      const part = await store.get("dir/a.txt", { offset: 1, length: 3 });
      assert.deepEqual([text(part), part?.size], ["ell", 5]);
      assert.equal(text(await store.get("dir/a.txt", { offset: 3, length: 100 })), "lo");
      assert.equal(text(await store.get("dir/a.txt", { offset: 9, length: 2 ** 40 })), "");
      assert.equal(await store.get("dir"), undefined);
    }),
    check("gives several ranges of one version, in their order", async () => {
      const store = await make();
      if (!store.getRanges) return "it has no `getRanges`";
      assert.equal(await store.getRanges("a", [{ offset: 0, length: 1 }]), undefined);
      await store.put("dir/a.txt", bytes("hello"));
      const ranges = [[3, 100], [0, 2], [9, 2 ** 40], [1, 3]].map(([offset = 0, length = 0]) => ({ offset, length }));
      const pieces = await store.getRanges("dir/a.txt", ranges);
      assert.deepEqual(pieces?.pieces.map((piece) => new TextDecoder().decode(piece)), ["lo", "he", "", "ell"]);
      const whole = await store.get("dir/a.txt");
      assert.deepEqual([pieces?.key, pieces?.size, pieces?.revision], [whole?.key, 5, whole?.revision]);
    }),
    check("keeps its own copy", async () => {
      const store = await make();
      const content = bytes("one");
      await store.put("k", content);
      content[0] = 0;
      assert.equal(text(await store.get("k")), "one");
      (await store.get("k"))?.bytes.fill(0);
      assert.equal(text(await store.get("k")), "one");
    }),
    check("takes streams, and nothing of one that breaks", async () => {
      const store = await make();
      await store.put(
        "s",
        (async function* () {
          yield bytes("one ");
          yield bytes("two");
        })(),
      );
      assert.equal(text(await store.get("s")), "one two");
      const broken = (async function* () {
        yield bytes("three");
        throw new Error("broken stream");
      })();
      await assert.rejects(store.put("s", broken), /broken stream/);
      assert.equal(text(await store.get("s")), "one two");
      assert.deepEqual(await keysOf(store, ""), ["s"]);
    }),
  ];
}

/** Returns the checks of concurrent writes and of listing. */
function writing(make: () => Promise<Store>): readonly Check[] {
  return [
    check("gives a new revision to each write, also of the same bytes", async () => {
      const store = await make();
      const revisions = new Set<string>();
      for (let i = 0; i < 20; i++) {
        const done = await store.put("k", bytes("same"));
        if (done !== "conflict") revisions.add(done.revision);
        assert.equal((await store.get("k"))?.revision, done !== "conflict" && done.revision);
      }
      assert.equal(revisions.size, 20);
    }),
    check("writes only if nothing else did", async () => {
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
      assert.equal(await store.put("none", bytes("1"), { if: first.revision }), "conflict");
      assert.equal(await store.delete("none", { if: first.revision }), "conflict");
    }),
    check("lets one of many writers win", async () => {
      const store = await make();
      const race = async (wanted: string | null): Promise<string[]> => {
        const done = await Promise.all(
          Array.from({ length: 8 }, (_, i) => store.put("k", bytes(`writer ${i}`), { if: wanted })),
        );
        return done.flatMap((d) => (d === "conflict" ? [] : [d.revision]));
      };
      const [first, ...others] = await race(null);
      assert.ok(first !== undefined && others.length === 0, `${others.length + 1} writers made it`);
      const second = await race(first);
      assert.equal(second.length, 1);
      assert.equal((await store.get("k"))?.revision, second[0]);
      assert.deepEqual(await keysOf(store, ""), ["k"]);
    }),
    check("lists by prefix, in order, and forgets what is deleted", async () => {
      const store = await make();
      for (const key of ["b/2", "a/1", "b/1", "a-b", "a/b/c", "a.b"]) await store.put(key, bytes(key));
      assert.deepEqual(await keysOf(store, ""), ["a-b", "a.b", "a/1", "a/b/c", "b/1", "b/2"]);
      assert.deepEqual(await keysOf(store, "b/"), ["b/1", "b/2"]);
      assert.deepEqual(await keysOf(store, "a/b"), ["a/b/c"]);
      assert.equal(await store.delete("b/1"), "done");
      assert.equal(await store.delete("b/1"), "done");
      assert.deepEqual(await keysOf(store, "b"), ["b/2"]);
      assert.deepEqual(await keysOf(store, "no/such"), []);
    }),
    check("refuses keys that are not relative paths", async () => {
      const store = await make();
      for (
        const key of [
          "",
          ".",
          "..",
          "../x",
          "/etc/passwd",
          "a/../../x",
          "a//b",
          "a/",
          "a\0b",
          "..\\x",
          "x".repeat(2000),
        ]
      ) {
        const refused = { name: "AttuneError", code: "BAD_KEY" };
        await assert.rejects(store.get(key), refused, key);
        await assert.rejects(store.put(key, new Uint8Array()), refused, key);
        await assert.rejects(store.delete(key), refused, key);
        if (store.append) await assert.rejects(store.append(key, new Uint8Array()), refused, key);
      }
      assert.deepEqual(await keysOf(store, ""), []);
    }),
    check("adds to the end, where it can", async () => {
      const store = await make();
      if (!store.append) return "it has no `append`";
      const first = await store.append("dir/log", bytes("a\n"));
      const second = await store.append("dir/log", bytes("b\n"));
      assert.notEqual(first.revision, second.revision);
      assert.deepEqual([text(await store.get("dir/log")), second.size], ["a\nb\n", 4]);
    }),
  ];
}
