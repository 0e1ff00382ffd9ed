import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { catalog } from "../../plugins/catalog.ts";
import { assertOutcome, members, onFamily, refusals } from "../conformance/adapter_families.ts";
import { families } from "../conformance/families.ts";

describe("every adapter on every family", () => {
  for (const use of members) {
    it(use.use, async () => {
      const refused: string[] = [];
      for (const family of Object.keys(families)) {
        const outcome = await onFamily(use, family);
        if ("refused" in outcome) refused.push(family);
        assertOutcome(outcome, `${use.use} on ${family}`);
      }
      assert.deepEqual(refused, refusals[use.use] ?? []);
    });
  }
  it("every adapter there is", () =>
    assert.deepEqual([...members].map((m) => m.use).sort(), Object.keys(catalog.adapter ?? {}).sort()));
});
