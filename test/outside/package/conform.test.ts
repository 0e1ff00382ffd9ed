import assert from "node:assert/strict";
import { test } from "node:test";
import { conform, type Figures } from "attune/conformance";
import type { Kind, Kinds } from "attune/kit";
import * as lib from "onnxruntime-node";
import plugins from "./index.ts";

const config = {
  model_type: "outsider",
  vocab_size: 28,
  hidden_size: 16,
  num_hidden_layers: 2,
  max_position_embeddings: 32,
};
for (const factory of plugins) {
  const plugin = factory() as Kinds[Kind] & { readonly kind: Kind };
  test(plugin.name, async () => {
    const figures = plugin.kind === "architecture" ? { config, sees: "before" } : {};
    await conform(plugin, { lib, ...figures } as Figures);
  });
}
test("all kinds are there", () => assert.equal(new Set(plugins.map(({ kind }) => kind)).size, 10));
