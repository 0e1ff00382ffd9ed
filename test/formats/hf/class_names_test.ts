/** Names of classes in what is exported: those of transformers' own auto classes, for every family and task. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import type { Architecture, Catalog, Named, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { classNameOf } from "../../../formats/hf/class_names.ts";
import figures from "../../fixtures/class_names.json" with { type: "json" };

const options: Named<object> = {
  "sequence-classification": { labels: ["a", "b"] },
  "token-classification": { labels: ["a", "b"] },
};

const run = compose({
  version: 1,
  model: { use: "pretrained", with: { path: "x" } },
  task: "masked-lm",
  data: { train: { use: "memory", with: { rows: [] } } },
} as unknown as RunSpec, catalog);
const models: readonly Architecture[] = Object.keys(catalog.architecture ?? {}).map((name) =>
  run.use("architecture", name)
);

describe("classes of exported models", () => {
  it("are in the figures for every model_type that a plugin reads", () => {
    assert.deepEqual(models.flatMap((model) => [...model.modelTypes]).sort(), [...figures.types].sort());
  });
  for (const [use, names] of Object.entries(figures.tasks)) {
    it(use, () => {
      const parsed = (catalog as Catalog).task?.[use]?.parse(options[use] ?? {});
      assert.ok(parsed && !parsed.issues, `${use}: ${JSON.stringify(parsed?.issues)}`);
      const [task] = parsed.value.subtasks;
      assert.ok(task && Object.keys(names).length > 0);
      for (const [modelType, name] of Object.entries(names as Named<string>)) {
        // T5's encoder is a model by itself, where no decoder is built.
        const decoderStart = use === "seq2seq-lm" ? 0 : undefined;
        const { family } = models.find((m) => m.modelTypes.includes(modelType))!.read({ model_type: modelType });
        assert.equal(family.modelType, modelType);
        assert.equal(classNameOf({ family, decoderStartTokenId: decoderStart }, task), name);
      }
    });
  }
});
