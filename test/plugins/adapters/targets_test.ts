/** Default modules of adapters: PEFT's, in every family that it has any for. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AdapterTargets, Named } from "../../../core/types.ts";
import figures from "../../fixtures/adapter_targets.json" with { type: "json" };
import { architectures, readBackbone } from "../../formula.ts";

/** What each method takes of a family's targets. */
const methods: Named<(t: AdapterTargets) => readonly string[] | undefined> = {
  lora: (t) => t.attention,
  vera: (t) => t.vera ?? t.attention,
  adalora: (t) => t.adalora ?? t.attention,
  ia3: (t) => t.keysValues && [...t.keysValues, ...t.feedForward ?? []],
  feedforward: (t) => t.feedForward,
  norms: (t) => t.norms,
};

describe("default modules are PEFT's", () => {
  it("for every model_type that a plugin reads", () =>
    assert.deepEqual(architectures.flatMap(({ modelTypes }) => [...modelTypes]).sort(), [...figures.types].sort()));
  for (const [method, targets] of Object.entries(figures.targets)) {
    for (const [modelType, modules] of Object.entries(targets as Named<readonly string[]>)) {
      it(`${method} in ${modelType}`, () => {
        const { family } = readBackbone({ model_type: modelType });
        const own = methods[method]?.(family.targets);
        assert.deepEqual([...new Set(own)].sort(), [...modules].sort());
      });
    }
  }
});
