/**
 * Names of classes in what is exported: those of transformers' own auto classes, for every family and task.
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/compose.ts";
import type { Catalog, Named, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { classNameOf } from "../../../plugins/exporters/class_names.ts";
import figures from "../../fixtures/class_names.json" with { type: "json" };

const options: Named<object> = {
  "sequence-classification": { labels: ["a", "b"] },
  "token-classification": { labels: ["a", "b"] },
};

describe("classes of exported models", () => {
  it("are in the table for every model_type that a plugin reads", () => {
    const run = compose({
      version: 1,
      model: { use: "pretrained", with: { path: "x" } },
      task: "masked-lm",
      data: { train: { use: "memory", with: { rows: [] } } },
    } as unknown as RunSpec, catalog);
    const types = Object.keys(catalog.model ?? {}).flatMap((name) => [...run.use("model", name).modelTypes]);
    assert.deepEqual([...types].sort(), [...figures.types].sort());
  });
  for (const [use, names] of Object.entries(figures.tasks)) {
    it(use, () => {
      const parsed = (catalog as Catalog).objective?.[use]?.parse(options[use] ?? {});
      assert.ok(parsed && !parsed.issues, `${use}: ${JSON.stringify(parsed?.issues)}`);
      const [task] = parsed.value.tasks;
      assert.ok(task && Object.keys(names).length > 0);
      for (const [modelType, name] of Object.entries(names as Named<string>)) {
        // T5's encoder is a model by itself, where no decoder is built.
        const decoderStart = use === "seq2seq-lm" ? 0 : undefined;
        assert.equal(classNameOf({ modelType, decoderStart } as never, task), name);
      }
    });
  }
});
