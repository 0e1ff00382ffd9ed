import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { memory } from "../../../plugins/stores/memory.ts";
import { directoryStore } from "../../../runtimes/directory_store.ts";
import { hostHere } from "../../../runtimes/train.ts";
import { testStore } from "../../conformance/store.ts";

const folder = (): string => mkdtempSync(join(tmpdir(), "attune-store-"));
testStore("memory", async () => await memory().open(await hostHere(1)));
testStore("directory", async () => directoryStore(folder()));

describe("a directory store", () => {
  it("reaches nothing outside itself", async () => {
    const root = folder();
    const store = directoryStore(root);
    for (const key of ["../x", "/etc/passwd", "a/../../x", "", "a//b", "a\0b", "..\\x"]) {
      await assert.rejects(store.get(key), /not a path inside the store/, key);
      await assert.rejects(store.put(key, new Uint8Array()), /not a path inside the store/, key);
    }
    writeFileSync(join(root, "..", "attune-secret"), "s");
    symlinkSync(join(root, "..", "attune-secret"), join(root, "link"));
    await assert.rejects(store.get("link"), /leads outside/);
    await assert.rejects(store.locate?.("link") ?? Promise.reject(new Error("no locate")), /leads outside/);
  });
  it("follows a hub snapshot's links into its own blobs only", async () => {
    const root = folder();
    const repo = join(root, "models--org--name");
    mkdirSync(join(repo, "blobs"), { recursive: true });
    mkdirSync(join(repo, "snapshots", "c"), { recursive: true });
    writeFileSync(join(repo, "blobs", "etag"), "weights");
    symlinkSync("../../blobs/etag", join(repo, "snapshots", "c", "model.safetensors"));
    const found = await directoryStore(join(repo, "snapshots", "c")).get("model.safetensors");
    assert.equal(new TextDecoder().decode(found?.bytes), "weights");
  });
});
