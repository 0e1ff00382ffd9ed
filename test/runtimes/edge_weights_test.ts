import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readSafetensors, writeSafetensors } from "../../core/files/safetensors.ts";
import { f32 } from "../../core/base/tensor.ts";
import type { Named, Store, Tensor } from "../../core/types.ts";
import { edgeRig, testHost } from "../edge.ts";
import { heldStore, tinyFiles, tinyHost, tinyWeights } from "../tiny.ts";
import { jsonBytes } from "../../core/base/bytes.ts";

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
    const object = await store.get(key, range);
    if (key === "model.safetensors") bytes += object?.bytes.length ?? 0;
    return object;
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
  it("are refused where what they compute is not finite, though each of them is", async () => {
    const huge = (tensor: Tensor): Tensor => ({ ...tensor, data: new Float32Array(tensor.data.length).fill(3e38) });
    const weights = Object.fromEntries(
      Object.entries(tinyWeights()).map((
        [name, tensor],
      ) => [name, /LayerNorm\.weight$/.test(name) ? huge(tensor) : tensor]),
    );
    const large = heldStore({ ...tinyFiles(), "model.safetensors": writeSafetensors(weights) });
    const lora = (value: number): Store =>
      heldStore({
        "adapter_config.json": jsonBytes({
          peft_type: "LORA",
          r: 1,
          lora_alpha: 1,
          target_modules: ["query"],
          base_model_name_or_path: "tiny",
        }),
        "adapter_model.safetensors": writeSafetensors(Object.fromEntries(
          (["A", "B"] as const).map((part) => {
            const hidden = tinyWeights()["bert.embeddings.LayerNorm.weight"]?.dims[0] ?? 0;
            const name = `base_model.model.bert.encoder.layer.0.attention.self.query.lora_${part}.weight`;
            return [name, f32(part === "A" ? [1, hidden] : [hidden, 1], Array(hidden).fill(value))];
          }),
        )),
      });
    const rig = edgeRig({ host: tinyHost(await testHost()), stores: { large, steep: lora(3e38), sound: lora(0.1) } });
    const rows = [{ text: "a good film", label: "negative" }];
    const task = { use: "sequence-classification", with: { labels: ["negative", "positive"] } };
    const asked: readonly (readonly [string, Named<unknown>])[] = [
      ["/v1/embeddings", { model: "large", input: "a film" }],
      ["/v1/embeddings", { model: "large", input: "a film", encoding_format: "base64" }],
      ["/v1/embeddings", { model: "tiny", adapter: "steep", input: "a film" }],
      ["/v1/classify", { model: "large", input: "a film" }],
      ["/v1/classify", { model: "steep", input: "a film" }],
      ["/v1/evaluate", { model: "large", task, rows }],
    ];
    for (const [path, body] of asked) {
      const { status, json } = await rig.post<Answer>(path, body);
      assert.deepEqual([path, status, json.error?.code], [path, 400, "not_finite"], JSON.stringify(json));
    }
    for (const [adapter, isWhole] of [["sound", true], ["steep", false]] as const) {
      const headers = { authorization: "Bearer key-a", "content-type": "application/json" };
      const body = JSON.stringify({ adapters: [{ file: adapter }], base: "tiny" });
      const answer = await rig.app.request("/v1/adapters/merge", { method: "POST", headers, body });
      assert.equal(answer.status, isWhole ? 200 : 400);
      const text = await answer.text();
      if (!isWhole) assert.match(text, /query\.weight\\" that is not finite/);
    }
  });
  it("are refused where integers have no scale", async () => {
    const files = await baseFiles();
    const tensors = readSafetensors(files["model.safetensors"] ?? new Uint8Array(), "base");
    delete tensors["bert.encoder.layer.0.attention.self.query.weight.scale"];
    const rig = edgeRig({
      host: await testHost(),
      stores: { own: heldStore({ ...files, "model.safetensors": writeSafetensors(tensors) }) },
    });
    const { status, json } = await rig.post<Answer>("/v1/embeddings", { model: "own", input: "a film" });
    assert.equal(status, 400);
    assert.match(
      json.error?.message ?? "",
      /integers in "bert.*query\.weight", and bert.*query\.weight\.scale is missing/,
    );
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
