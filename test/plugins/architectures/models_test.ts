import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { catalog } from "../../../plugins/catalog.ts";
import { checksOf } from "../../../conformance/mod.ts";
import type { Architecture } from "../../../core/types.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { itPassesSome } from "../../checks.ts";
import { families, type Family, noDropout, rows, variants } from "../../conformance/families.ts";
import { tinyHost } from "../../tiny.ts";
import decoders from "../../fixtures/decoders.json" with { type: "json" };
import heads from "../../fixtures/heads.json" with { type: "json" };
import masked from "../../fixtures/masked_models.json" with { type: "json" };
import seq2seq from "../../fixtures/seq2seq.json" with { type: "json" };
import { architectures } from "../../formula.ts";

const modelOf = ({ config }: Family): Architecture => {
  const model = architectures.find(({ modelTypes }) => modelTypes.includes(String(config.model_type)));
  assert.ok(model, `no model reads ${config.model_type}`);
  return model;
};
const host = tinyHost(await hostHere(1));
// Updates as this package has them.
const base = { optimizer: "adamw", schedule: "linear" };

function figuresOf({ config, task }: Family): Parameters<typeof checksOf<"architecture">>[1] {
  const own = { vocab_size: 28, initializer_range: 0.2, pad_token_id: 0, ...config, ...noDropout };
  const perPlace = typeof task === "string" ? task : { use: "token-classification", with: { labels: ["a", "b", "c"] } };
  const sees = task === "seq2seq-lm" ? "decoder" : typeof task === "string" ? "before" : "all";
  return { host, catalog, base, config: own, task, rows, perPlace, sees };
}

for (const [name, family] of Object.entries({ ...families, ...variants })) {
  itPassesSome(name, checksOf(modelOf(family), figuresOf(family)));
}

describe("every model_type that a plugin reads", () => {
  const read = architectures.flatMap(({ modelTypes }) => [...modelTypes]).sort();
  const typeOf = (config: object): string => String("model_type" in config && config.model_type);

  it("is in this battery", () => assert.deepEqual(Object.values(families).map((f) => typeOf(f.config)).sort(), read));

  it("has figures of torch's", () => {
    const figures = [decoders, heads, masked, seq2seq].flatMap(({ cases }) =>
      cases.map(({ config }) => typeOf(config))
    );
    assert.deepEqual([...new Set(figures)].sort(), read);
  });
});
