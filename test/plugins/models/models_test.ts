import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { catalog } from "../../../plugins/catalog.ts";
import { families, variants } from "../../conformance/families.ts";
import { properties } from "../../conformance/model.ts";
import decoders from "../../fixtures/decoders.json" with { type: "json" };
import heads from "../../fixtures/heads.json" with { type: "json" };
import masked from "../../fixtures/masked_models.json" with { type: "json" };
import seq2seq from "../../fixtures/seq2seq.json" with { type: "json" };

for (const [name, family] of Object.entries({ ...families, ...variants })) {
  describe(name, () => {
    for (const [property, check] of Object.entries(properties)) it(property, () => check(family));
  });
}

describe("every model_type that a plugin reads", () => {
  const read = Object.values(catalog.model ?? {}).flatMap((entry) => {
    const made = entry.parse({});
    return made.issues === undefined ? [...made.value.modelTypes] : [];
  }).sort();
  const typeOf = (config: object): string => String("model_type" in config && config.model_type);

  it("is in this battery", () => assert.deepEqual(Object.values(families).map((f) => typeOf(f.config)).sort(), read));

  it("has figures of torch's", () => {
    const figures = [decoders, heads, masked, seq2seq].flatMap(({ cases }) =>
      cases.map(({ config }) => typeOf(config))
    );
    assert.deepEqual([...new Set(figures)].sort(), read);
  });
});
