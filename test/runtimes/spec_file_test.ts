import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { readSpec } from "../../runtimes/cli/spec_file.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-spec-"));
mkdirSync(join(folder, "model"));
const file = join(folder, "spec.json");
const spec = (value: object, set: string[] = []): unknown => {
  writeFileSync(file, JSON.stringify(value));
  return readSpec(file, set);
};
const model = (path: string): unknown => ({ model: { use: "pretrained", with: { path } } });

it("paths are relative to the spec, and what is not there may be on the hub", () => {
  assert.deepEqual(spec(model("./model") as object), model(join(folder, "model")));
  assert.deepEqual(spec(model("model") as object), model(join(folder, "model")));
  assert.deepEqual(spec(model("./none") as object), model(join(folder, "none")));
  for (const name of ["bert-base-uncased", "org/name", "org/name@main", "attune:base"]) {
    assert.deepEqual(spec(model(name) as object), model(name));
  }
  const data = (path: string) => ({ data: { train: { use: "jsonl", with: { path } } }, tokenizer: "hf" });
  assert.deepEqual(spec(data("rows.jsonl")), data(join(folder, "rows.jsonl")));
  const adapter = (from: string) => ({ adapter: [{ use: "lora", with: { from } }] });
  assert.deepEqual(spec(adapter("out/adapter")), adapter(join(folder, "out/adapter")));
});

it("--set changes values, JSON where it is", () => {
  const changed = spec({ training: { seed: 1 }, optimizer: "adamw" }, [
    "training.seed=7",
    "optimizer.with.weightDecay=0.1",
    "name=a b",
  ]);
  assert.deepEqual(changed, {
    training: { seed: 7 },
    optimizer: { use: "adamw", with: { weightDecay: 0.1 } },
    name: "a b",
  });
  assert.throws(() => spec({}, ["nonsense"]), /expected path.to.key=value/);
});
