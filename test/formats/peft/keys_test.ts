import assert from "node:assert/strict";
import { it } from "node:test";
import { adapterKeys } from "../../../formats/peft/keys.ts";

const read = (...names: string[]) => Object.fromEntries(adapterKeys("test", "file", names));

it("a module that trains whole is itself, however often PEFT writes it behind a resize", () => {
  const module = "base_model.model.lm_head";
  const all = [`${module}.modules_to_save.weight`, `${module}.original_module.weight`, `${module}.weight`];
  assert.deepEqual(read(...all), { [`${module}.weight`]: `${module}.weight` });
  assert.deepEqual(read(...all.toReversed()), { [`${module}.weight`]: `${module}.weight` });
  const state = `${module}.modules_to_save.default.weight`;
  assert.deepEqual(read(state), { [`${module}.weight`]: state });
});

it("rows that train by themselves stand beside their table", () => {
  const table = "base_model.model.model.embed_tokens";
  const delta = `${table}.token_adapter.trainable_tokens_delta`;
  const base = `${table}.token_adapter.base_layer.weight`;
  assert.deepEqual(read(base, delta), { [`${table}.weight`]: base, [delta]: delta });
});

it("two keys of one tensor are an error", () =>
  assert.throws(() => read("a.lora_A.weight", "a.lora_A.default.weight"), /"a\.lora_A\.weight".*mean the same tensor/));
