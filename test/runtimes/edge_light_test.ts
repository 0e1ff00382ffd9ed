import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { readSafetensors, writeSafetensors } from "../../core/files/safetensors.ts";
import { f32 } from "../../core/base/tensor.ts";
import { type EdgeWorker, edgeWorker, workerScript } from "../worker.ts";
import { thisRuntime } from "../../runtimes/host/host.ts";
import { jsonBytes } from "../../core/base/bytes.ts";

const config = { peft_type: "LORA", r: 1, lora_alpha: 1, target_modules: ["query"], bias: "none" };
const name = "base_model.model.bert.encoder.layer.0.attention.self.query";
const adapter = (by: number): Uint8Array =>
  writeSafetensors({
    [`${name}.lora_A.weight`]: f32([1, 2], [by, 2 * by]),
    [`${name}.lora_B.weight`]: f32([2, 1], [3 * by, 4 * by]),
  });

describe("the Worker without ONNX Runtime", { skip: thisRuntime() !== "node" && "Miniflare runs on Node" }, () => {
  let script: Uint8Array<ArrayBuffer>;
  let worker: EdgeWorker;
  before(async () => {
    script = await workerScript("light");
    worker = await edgeWorker("light", script);
    for (const [file, by] of [["a", 1], ["b", 3]] as const) {
      await worker.put(`${file}/adapter_config.json`, jsonBytes(config));
      await worker.put(`${file}/adapter_model.safetensors`, adapter(by));
    }
  });
  after(() => worker?.dispose());

  it("is below 500 kB gzipped, and asks for no compiled module", () => {
    const packed = gzipSync(script, { level: 9 });
    assert.ok(packed.length < 500_000, `${packed.length} bytes`);
    assert.ok(packed.length > 50_000 && gunzipSync(packed).length === script.length);
    assert.doesNotMatch(new TextDecoder().decode(script), /ort-wasm|\.wasm"/);
  });
  it("tokenizes and gives texts back", async () => {
    const { json, status } = await worker.post<{ encodings: { inputIds: number[] }[] }>("/v1/tokenize", {
      tokenizer: "attune:base",
      input: "A great film.",
    });
    assert.equal(status, 200);
    assert.deepEqual(json.encodings[0]?.inputIds, [2, 42, 507, 301, 18, 3]);
    const back = await worker.post("/v1/detokenize", { tokenizer: "attune:base", inputIds: [42, 507, 301, 18] });
    assert.deepEqual(back, { status: 200, json: { text: "a great film." } });
  });
  it("measures predictions", async () => {
    const body = { metrics: ["accuracy"], predictions: [1, 0, 1], references: [1, 1, 1] };
    assert.deepEqual(await worker.post("/v1/evaluate", body), { status: 200, json: { metrics: { accuracy: 2 / 3 } } });
  });
  it("merges adapters", async () => {
    const answer = await fetch(`${worker.url}/v1/adapters/merge`, {
      method: "POST",
      headers: { authorization: "Bearer key", "content-type": "application/json" },
      body: JSON.stringify({ adapters: [{ file: "a", weight: 1 }, { file: "b", weight: 1 }], method: "cat" }),
    });
    assert.equal(answer.status, 200);
    const merged = readSafetensors(new Uint8Array(await answer.arrayBuffer()), "merged");
    assert.deepEqual([...merged[`${name}.lora_A.weight`]?.data ?? []], [1, 2, 3, 6]);
  });
  it("says that it computes with no model", async () => {
    for (const path of ["/v1/embeddings", "/v1/classify"]) {
      const { status, json } = await worker.post<{ error: { code: string } }>(path, {
        model: "attune:base",
        input: "a",
      });
      assert.deepEqual([status, json.error.code], [503, "not_configured"], path);
    }
  });
});
