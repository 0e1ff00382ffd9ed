import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Named, Store } from "../../core/types.ts";
import { edgeRig, testHost } from "../edge.ts";
import { heldStore } from "../tiny.ts";

type Answer = { error?: { code: string; message: string } };

/** The files of attune:base. */
async function baseFiles(): Promise<Named<Uint8Array>> {
  const { base } = await testHost();
  assert.ok(base);
  const files: Record<string, Uint8Array> = {};
  for await (const { key } of base.list("")) files[key] = (await base.get(key))?.bytes ?? new Uint8Array();
  return files;
}

/** A store that counts the bytes of weights that are asked for. */
function counted(store: Store): Readonly<{ store: Store; bytes(): number }> {
  let bytes = 0;
  const get: Store["get"] = async (key, range) => {
    const found = await store.get(key, range);
    if (key === "model.safetensors") bytes += found?.bytes.length ?? 0;
    return found;
  };
  return { store: { ...store, get }, bytes: () => bytes };
}

describe("weights that are served", () => {
  it("are refused where integers of the base were written over", async () => {
    const files = await baseFiles();
    const weights = files["model.safetensors"]?.slice() ?? new Uint8Array();
    const header = Number(new DataView(weights.buffer).getBigUint64(0, true));
    const names = JSON.parse(new TextDecoder().decode(weights.subarray(8, 8 + header)));
    const [from] = names["bert.embeddings.word_embeddings.weight"].data_offsets;
    weights.set([0, 0, 0xc0, 0x7f], 8 + header + from);
    const host = await testHost();
    const rig = edgeRig({ host, stores: { bad: heldStore({ ...files, "model.safetensors": weights }) } });
    for (
      const [path, body] of [
        ["/v1/embeddings", { model: "bad", input: "a film" }],
        ["/v1/evaluate", { model: "bad", task: "masked-lm", rows: [{ text: "a film" }] }],
      ] as const
    ) {
      const { status, json } = await rig.post<Answer>(path, body);
      assert.deepEqual([path, status, json.error?.code], [path, 400, "bad_file"]);
      assert.match(json.error?.message ?? "", /model\.safetensors: is damaged/);
    }
  });
  it("are looked at once, and again where they have changed", async () => {
    const { store, bytes } = counted(heldStore(await baseFiles()));
    const rig = edgeRig({ host: await testHost(), stores: { own: store } });
    const evaluated = async (): Promise<number> => {
      const before = bytes();
      const rows = [{ text: "a good film", label: 0 }, { text: "a bad film", label: 1 }];
      const { status } = await rig.post("/v1/evaluate", { model: "own", task: "text-classification", rows });
      assert.ok(status < 500, String(status));
      return bytes() - before;
    };
    const [first, second] = [await evaluated(), await evaluated()];
    const size = (await store.get("model.safetensors", { offset: 0, length: 0 }))?.size ?? 0;
    assert.ok(first - second > 0.9 * size && first - second < 1.1 * size, `${first} and ${second} of ${size}`);
  });
});
