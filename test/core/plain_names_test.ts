import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../core/spec/compose.ts";
import { composeOnDemand } from "../../core/spec/on_demand.ts";
import { spellOut } from "../../core/spec/plain_names.ts";
import { mapRoles } from "../../core/spec/roles.ts";
import type { Json, RunSpec } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { imports } from "../../plugins/imports.ts";

const part = (use: string, path: string): Json => ({ use, with: { path } });
const rows = [{ text: "fine", label: "good" }];
const whole = {
  version: 1,
  task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
  data: { train: "rows.csv", eval: "./held.jsonl" },
};

describe("plain texts in the place of plugins", () => {
  it("are files and models where no plugin could be called so", () => {
    for (
      const [text, use] of [["rows.csv", "csv"], ["a b.TSV", "csv"], ["x/rows.json", "json"], [
        "rows.jsonl.gz",
        "jsonl",
      ]]
    ) {
      assert.deepEqual(spellOut("data", text ?? ""), part(use ?? "", text ?? ""));
    }
    assert.deepEqual(spellOut("data", "hub:org/name"), part("hub", "org/name"));
    for (const text of ["attune:base", "./model", "org/name", "/models/a", "model.gguf", "org/name@main"]) {
      assert.deepEqual(spellOut("model", text), part("pretrained", text));
    }
    for (const name of ["reviews", "parts-of-speech"]) assert.deepEqual(spellOut("data", name), { use: name });
    assert.deepEqual(spellOut("loss", "mse.csv"), { use: "mse.csv" });
  });
  it("compose, and are written as what they stand for", async () => {
    const spec = { ...whole, model: "attune:base" } as unknown as RunSpec;
    for (const run of [compose(spec, catalog), await composeOnDemand(spec, imports)]) {
      assert.deepEqual([run.model.name, run.model.options], ["pretrained", {
        path: "attune:base",
        config: {},
        ignoreMismatchedSizes: false,
      }]);
      assert.deepEqual([run.data.train?.name, run.data.eval?.name], ["csv", "jsonl"]);
    }
  });
  it("are errors that list what there is, where neither is meant", () => {
    const spec = { ...whole, model: "attune:base", data: { train: "rows.xlsx" } } as unknown as RunSpec;
    assert.throws(() => compose(spec, catalog), /data\.train: unknown data "rows\.xlsx"/);
    assert.throws(
      () => compose({ ...whole, model: "pretraind" } as unknown as RunSpec, catalog),
      /did you mean "pretrained"/,
    );
  });
  it("of several tasks' data are references, too; what is a reference stays", () => {
    const data = { train: "a.csv", eval: { use: "memory", with: { rows } } };
    const spec = {
      version: 1,
      model: { use: "random" },
      task: { use: "multi-task", with: { tasks: { a: { task: "masked-lm", data } } } },
    };
    assert.deepEqual(mapRoles(spec, catalog, (value) => value), {
      ...spec,
      task: {
        use: "multi-task",
        with: { tasks: { a: { task: "masked-lm", data: { ...data, train: part("csv", "a.csv") } } } },
      },
    });
  });
});
