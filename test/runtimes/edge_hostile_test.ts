/** Models and adapters by somebody who means harm, named in requests: a typed error, soon, and nothing else. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { writeSafetensors } from "../../core/files/safetensors.ts";
import type { Json, Named, Store, Tensor } from "../../core/types.ts";
import { matches } from "../../core/patterns/module_patterns.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { edgeRig } from "../edge.ts";
import { soon } from "../soon.ts";
import { heldStore, tinyConfig, tinyFiles } from "../tiny.ts";

type Failure = { error: { message: string; code: string } };

const bytes = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const deep = `{"model_type":"bert","x":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
const host = await hostHere(1);

/** What an app over such a store answers, and that it does so soon. */
async function refused(store: Store, path: string, body: (name: string) => unknown): Promise<Failure["error"]> {
  const rig = edgeRig({ host, stores: { "a/hostile": store, "a/plain": heldStore(tinyFiles()) } });
  const { status, json } = await soon(() => rig.post<Failure>(path, body("hostile")));
  assert.equal(status, 400, JSON.stringify(json).slice(0, 300));
  assert.doesNotMatch(json.error.message, /\.ts:|node_modules|\/tmp\//);
  assert.equal(({} as { polluted?: number }).polluted, undefined);
  return json.error;
}

describe("F11: a config.json that is not sound", () => {
  const cases: Named<unknown> = {
    "a prototype": '{"model_type":"bert","__proto__":{"polluted":1}}',
    "a prototype, spelled otherwise": '{"model_type":"bert","\\u005f_proto__":{"polluted":1}}',
    "100,000 deep": deep,
    "a model larger than any": { ...tinyConfig, hidden_size: 1e12 },
    "a vocabulary larger than any": { ...tinyConfig, vocab_size: 1e12 },
    "layers without an end": { ...tinyConfig, num_hidden_layers: 1e12 },
    "sizes that are text": { ...tinyConfig, hidden_size: "16" },
    "sizes below nothing": { ...tinyConfig, num_attention_heads: -1 },
    "no number of heads": { ...tinyConfig, num_attention_heads: 0 },
    "code of its own": { model_type: "its-own", auto_map: { AutoModel: "modeling.Own" } },
    "a kind that every object has": { ...tinyConfig, model_type: "constructor" },
    "a list": "[]",
  };
  for (const [name, config] of Object.entries(cases)) {
    it(name, async () => {
      const files = { ...tinyFiles(), "config.json": bytes(config) };
      const task = { use: "sequence-classification", with: { labels: ["bad", "good"] } };
      const rows = [{ text: "a film", label: "good" }];
      await refused(heldStore(files), "/v1/evaluate", (model) => ({ model, task, rows }));
    });
  }
});

describe("F12: an adapter that is not sound", () => {
  const module = "base_model.model.bert.encoder.layer.0.attention.self.query";
  const floats = (...dims: number[]): Tensor => ({
    dtype: "float32",
    dims,
    data: new Float32Array(dims.reduce((n, dim) => n * dim, 1)),
  });
  const whole = { [`${module}.lora_A.weight`]: floats(2, 16), [`${module}.lora_B.weight`]: floats(16, 2) };
  const plain: Named<Json> = { peft_type: "LORA", r: 2, lora_alpha: 4, target_modules: ["query"] };
  const cases: Named<readonly [config: unknown, tensors?: Named<Tensor>]> = {
    "rank 0": [{ ...plain, r: 0 }],
    "rank 1e9": [{ ...plain, r: 1e9 }],
    "half a rank": [{ ...plain, r: 1.5 }],
    "another rank than its tensors'": [{ ...plain, r: 3 }],
    "an alpha that is no number": [JSON.stringify({ ...plain, lora_alpha: null })],
    "an alpha beyond numbers": [JSON.stringify(plain).replace('"lora_alpha":4', '"lora_alpha":1e999')],
    "a prototype": ['{"peft_type":"LORA","r":2,"lora_alpha":4,"__proto__":{"polluted":1}}'],
    "100,000 deep": [deep],
    "another kind": [{ ...plain, peft_type: "constructor" }],
    "ranks by too many patterns": [{
      ...plain,
      rank_pattern: Object.fromEntries(Array(2000).fill(0).map((_, i) => [i, 1])),
    }],
    "a missing half": [plain, { [`${module}.lora_A.weight`]: floats(2, 16) }],
    "values that are none": [plain, {
      ...whole,
      [`${module}.lora_A.weight`]: { dtype: "float32", dims: [2, 16], data: new Float32Array(32).fill(NaN) },
    }],
    "another base": [plain, { [`${module}.lora_A.weight`]: floats(2, 8), [`${module}.lora_B.weight`]: floats(16, 2) }],
    "modules that the base has not": [plain, {
      "base_model.model.else.lora_A.weight": floats(2, 16),
      "base_model.model.else.lora_B.weight": floats(16, 2),
    }],
    "no tensors": [plain, {}],
  };
  for (const [name, [config, tensors = whole]] of Object.entries(cases)) {
    it(name, async () => {
      const files = { "adapter_config.json": bytes(config), "adapter_model.safetensors": writeSafetensors(tensors) };
      await refused(heldStore(files), "/v1/adapters/merge", (file) => ({ adapters: [{ file }], base: "plain" }));
    });
  }

  it("targets by a pattern that takes its own matcher for ever", async () => {
    assert.equal(matches(`${"a".repeat(500)}!`, "(a+)+"), false);
    assert.equal(matches("encoder.layer.3.query", ".*\\.(?:query|value)"), true);
    const config = { ...plain, rank_pattern: { "(.*.*)*x": 2, "(([a-z.0-9]+)+)+!": 2 }, r: 3 };
    const files = { "adapter_config.json": bytes(config), "adapter_model.safetensors": writeSafetensors(whole) };
    await refused(heldStore(files), "/v1/adapters/merge", (file) => ({ adapters: [{ file }], base: "plain" }));
  });
});
