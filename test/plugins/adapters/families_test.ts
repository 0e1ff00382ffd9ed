import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assertOutcome, members, onFamily } from "../../conformance/adapter_families.ts";

// The rest is in test/slow.
const quick: readonly (readonly [use: string, family: string])[] = [
  ["lora", "gpt2"],
  ["dora", "bart"],
  ["adalora", "t5"],
  ["vera", "gemma2"],
  ["ia3", "falcon"],
  ["prefix-tuning", "t5"],
  ["prompt-tuning", "mistral"],
  ["houlsby", "modernbert"],
  ["ln-tuning", "llama"],
];

describe("adapters on other families than BERT", () => {
  for (const [name, family] of quick) {
    it(`${name} on ${family}`, async () => {
      const use = members.find((m) => m.use === name);
      assert.ok(use);
      const outcome = await onFamily(use, family);
      assert.ok(!("refused" in outcome), JSON.stringify(outcome));
      assertOutcome(outcome, name);
    });
  }
});
