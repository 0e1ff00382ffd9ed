/** What trains where only the last layers do, in families whose tables stand beside their layers. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspectBackbone } from "../../../core/engine/inspect.ts";
import type { Json, Named } from "../../../core/types.ts";
import { freeze } from "../../../plugins/adapters/freeze.ts";
import { readBackbone } from "../../formula.ts";

const place = { path: "adapter", taskType: "CAUSAL_LM" } as unknown as Parameters<
  ReturnType<typeof freeze>["attach"]
>[1];

function trained(config: Named<Json>, options: Parameters<typeof freeze>[0] = {}): string[] {
  const backbone = inspectBackbone(readBackbone(config));
  const { isTrainable } = freeze(options).attach(backbone, place);
  return backbone.parameters.filter((name) => isTrainable?.(name));
}

const llama = {
  model_type: "llama",
  vocab_size: 20,
  hidden_size: 8,
  intermediate_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
};
const gpt2 = { model_type: "gpt2", vocab_size: 20, n_positions: 16, n_embd: 8, n_layer: 2, n_head: 2 };
const t5 = { model_type: "t5", vocab_size: 20, d_model: 8, d_kv: 4, d_ff: 8, num_layers: 1, num_heads: 2 };

describe("freeze", () => {
  it("leaves what stands behind the layers to train, and no table", () => {
    assert.deepEqual(trained(llama), ["model.norm.weight"]);
    assert.deepEqual(trained(gpt2).sort(), ["transformer.ln_f.bias", "transformer.ln_f.weight"]);
    assert.deepEqual(trained(t5).filter((name) => name.startsWith("shared")), []);
    assert.ok(trained(t5).includes("decoder.final_layer_norm.weight"));
  });
  it("takes the tables along where it is told to", () => {
    assert.deepEqual(trained(llama, { trainEmbeddings: true }).sort(), [
      "model.embed_tokens.weight",
      "model.norm.weight",
    ]);
    assert.ok(trained(gpt2, { trainEmbeddings: true }).includes("transformer.wpe.weight"));
  });
  it("takes the last layers whole", () => {
    const names = trained(llama, { trainLastLayers: 1 });
    assert.ok(names.every((name) => name === "model.norm.weight" || name.startsWith("model.layers.1.")), String(names));
    assert.ok(names.length > 5);
  });
});
