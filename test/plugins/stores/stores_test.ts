import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Store } from "../../../core/types.ts";
import { storeWithin } from "../../../core/files/within.ts";
import { directory } from "../../../plugins/stores/directory.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { directoryStore } from "../../../runtimes/host/directory_store.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { checksOf, storeChecks } from "../../../conformance/mod.ts";
import { itPasses } from "../../checks.ts";
import { collect } from "../../../core/base/collect.ts";

const folder = (): string => mkdtempSync(join(tmpdir(), "attune-store-"));
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const refused = { name: "AttuneError", code: "BAD_KEY" };
itPasses("store memory", checksOf(memory(), { host: await hostHere(1) }));
itPasses(
  "store part of another",
  storeChecks(async () => storeWithin(await memory().open(await hostHere(1)), "below/it/")),
);
itPasses(
  "store directory",
  storeChecks(async () => await directory({ path: join(folder(), "made", "later") }).open(await hostHere(1))),
);

it("a memory store keeps no view of a buffer of Node's that is used again, whole or in parts", async () => {
  const store = await memory().open(await hostHere(1));
  const again = Buffer.from("first");
  await store.put("whole", again);
  await store.put(
    "parts",
    (async function* () {
      yield again;
      again.write("other");
    })(),
  );
  const read = async (key: string): Promise<string> => new TextDecoder().decode((await store.get(key))?.bytes);
  assert.deepEqual([await read("whole"), await read("parts")], ["first", "first"]);
});

describe("a directory store", () => {
  it("follows no link that leads outside", async () => {
    const [root, outside] = [folder(), folder()];
    const store = directoryStore(root);
    writeFileSync(join(outside, "secret"), "s");
    symlinkSync(join(outside, "secret"), join(root, "file"));
    symlinkSync(outside, join(root, "folder"));
    symlinkSync(join(outside, "none"), join(root, "dangling"));
    symlinkSync("loop", join(root, "loop"));
    for (const key of ["file", "folder/secret", "loop"]) {
      await assert.rejects(store.get(key), refused, key);
      await assert.rejects(store.locate?.(key) ?? Promise.resolve(), refused, key);
      await assert.rejects(store.append?.(key, bytes("x")) ?? Promise.resolve(), refused, key);
      await assert.rejects(store.delete(key), refused, key);
    }
    for (const key of ["folder/x", "folder/deep/x"]) {
      await assert.rejects(store.put(key, bytes("x")), refused, key);
      await assert.rejects(store.append?.(key, bytes("x")) ?? Promise.resolve(), refused, key);
    }
    await assert.rejects(store.append?.("dangling", bytes("x")) ?? Promise.resolve(), { code: "STORE" });
    assert.deepEqual(readdirSync(outside), ["secret"]);
    assert.equal(readFileSync(join(outside, "secret"), "utf8"), "s");
    const keys = (await collect(store.list(""))).map(({ key }) => key);
    assert.deepEqual(keys, []);
  });
  it("follows links inside itself", async () => {
    const root = folder();
    mkdirSync(join(root, "a"));
    writeFileSync(join(root, "a", "x"), "inside");
    symlinkSync("a", join(root, "b"));
    const found = await directoryStore(root).get("b/x");
    assert.equal(new TextDecoder().decode(found?.bytes), "inside");
  });
  it("follows a hub snapshot's links into its own blobs only", async () => {
    const root = folder();
    const [repository, other] = [join(root, "models--org--name"), join(root, "models--org--other")];
    for (const repo of [repository, other]) {
      mkdirSync(join(repo, "blobs"), { recursive: true });
      mkdirSync(join(repo, "snapshots", "c"), { recursive: true });
      writeFileSync(join(repo, "blobs", "etag"), "weights");
    }
    writeFileSync(join(repository, "token"), "t");
    symlinkSync("../../blobs/etag", join(repository, "snapshots", "c", "model.safetensors"));
    symlinkSync("../../token", join(repository, "snapshots", "c", "token"));
    symlinkSync("../../../models--org--other/blobs/etag", join(repository, "snapshots", "c", "other"));
    const store = directoryStore(join(repository, "snapshots", "c"));
    assert.equal(new TextDecoder().decode((await store.get("model.safetensors"))?.bytes), "weights");
    assert.match(await store.locate?.("model.safetensors") ?? "", /models--org--name.blobs.etag$/);
    await assert.rejects(store.get("token"), refused);
    await assert.rejects(store.get("other"), refused);
  });
  it("says what the disk could not do", async () => {
    const root = folder();
    writeFileSync(join(root, "file"), "x");
    mkdirSync(join(root, "folder"));
    const failed = { name: "AttuneError", code: "STORE" };
    await assert.rejects(directoryStore(root).put("file/below", bytes("x")), failed);
    await assert.rejects(directoryStore(root).put("folder", bytes("x")), failed);
    assert.deepEqual(readdirSync(root).sort(), ["file", "folder"]);
  });
  it("keeps what was put over a revision when the folder is copied", async () => {
    const [root, copy] = [folder(), join(folder(), "copy")];
    const store = directoryStore(root);
    let revision: string | null = null;
    for (let i = 0; i < 5; i++) {
      const done = await store.put("dir/k", bytes(`version ${i}`), { if: revision });
      revision = done === "conflict" ? null : done.revision;
    }
    cpSync(root, copy, { recursive: true });
    const object = await directoryStore(copy).get("dir/k");
    assert.deepEqual([new TextDecoder().decode(object?.bytes), object?.revision], ["version 4", revision]);
    // Of older versions no more are kept than readers may be at.
    assert.ok(readdirSync(join(root, "dir"), { recursive: true }).length <= 4);
  });
  it("makes a deleted key anew, and takes what has no condition over what had one", async () => {
    const store = directoryStore(folder());
    const keys = async (): Promise<string[]> => {
      return (await collect(store.list(""))).map(({ key }) => key);
    };
    for (let i = 0; i < 3; i++) {
      const created = await store.put("k", bytes("made"), { if: null });
      assert.ok(created !== "conflict");
      assert.equal(await store.put("k", bytes("again"), { if: null }), "conflict");
      const put = await store.put("k", bytes("put"), { if: created.revision });
      assert.ok(put !== "conflict");
      assert.deepEqual(await keys(), ["k"]);
      assert.equal(await store.delete("k", { if: created.revision }), "conflict");
      assert.equal(await store.delete("k", { if: put.revision }), "done");
      assert.deepEqual([await store.get("k"), await keys()], [undefined, []]);
      assert.equal(await store.put("k", bytes("late"), { if: put.revision }), "conflict");
    }
    await store.put("k", bytes("plain"));
    assert.equal(new TextDecoder().decode((await store.get("k"))?.bytes), "plain");
    await store.delete("k");
    assert.deepEqual([await store.get("k"), await keys()], [undefined, []]);
  });
  it("hides files in the making", async () => {
    const store: Store = directoryStore(folder());
    for (const key of [".~attune-put-k", "~attune-after-k/1"]) await assert.rejects(store.get(key), refused);
    await store.put(".hidden.tmp", bytes("x"));
    const keys = (await collect(store.list(""))).map(({ key }) => key);
    assert.deepEqual(keys, [".hidden.tmp"]);
  });
});
