import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { readSpec } from "../../runtimes/host/spec_file.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-spec-"));
mkdirSync(join(folder, "model"));
const file = join(folder, "spec.json");
const spec = async (value: object, set: string[] = []): Promise<unknown> => {
  writeFileSync(file, JSON.stringify(value));
  return await readSpec(file, set);
};
const model = (path: string): unknown => ({ model: { use: "pretrained", with: { path } } });

it("paths are relative to the spec, and what is not there may be on the hub", async () => {
  assert.deepEqual(await spec(model("./model") as object), model(join(folder, "model")));
  assert.deepEqual(await spec(model("model") as object), model(join(folder, "model")));
  assert.deepEqual(await spec(model("./none") as object), model(join(folder, "none")));
  for (const name of ["bert-base-uncased", "org/name", "org/name@main", "attune:base"]) {
    assert.deepEqual(await spec(model(name) as object), model(name));
  }
  const data = (path: string) => ({ data: { train: { use: "jsonl", with: { path } } }, tokenizer: "hf" });
  assert.deepEqual(await spec(data("rows.jsonl")), data(join(folder, "rows.jsonl")));
  const adapter = (from: string) => ({ adapter: [{ use: "lora", with: { from } }] });
  assert.deepEqual(await spec(adapter("out/adapter")), adapter(join(folder, "out/adapter")));
});

it("of several paths each is placed, also a teacher's; names within the output and on the hub stay", async () => {
  const at = (name: string): string => join(folder, name);
  assert.deepEqual(
    await spec({
      data: { train: { use: "parquet", with: { path: ["a.parquet", "/b.parquet"] } } },
      task: { use: "distillation", with: { teacher: { use: "pretrained", with: { path: "./t" } }, cache: "kept" } },
      loggers: [{ use: "jsonl", with: { path: "steps.jsonl" } }, { use: "tensorboard", with: { path: "tb" } }],
    }),
    {
      data: { train: { use: "parquet", with: { path: [at("a.parquet"), "/b.parquet"] } } },
      task: {
        use: "distillation",
        with: { teacher: { use: "pretrained", with: { path: at("t") } }, cache: at("kept") },
      },
      loggers: [{ use: "jsonl", with: { path: "steps.jsonl" } }, { use: "tensorboard", with: { path: "tb" } }],
    },
  );
  const tasks = {
    one: { data: { train: { use: "split", with: { source: { use: "csv", with: { path: "r.csv" } } } } } },
  };
  assert.match(JSON.stringify(await spec({ task: { use: "multi-task", with: { tasks } } })), new RegExp(at("r.csv")));
  const hub = { data: { train: { use: "hub", with: { path: "org/name" } } } };
  assert.deepEqual(await spec(hub), hub);
  // A row is no plugin, whatever its columns are called.
  const rows = { data: { train: { use: "memory", with: { rows: [{ text: "a", path: "b", with: { from: "c" } }] } } } };
  assert.deepEqual(await spec(rows), rows);
});

it("--set changes values, JSON where it is", async () => {
  const changed = await spec({ training: { seed: 1 }, optimizer: "adamw" }, [
    "training.seed=7",
    "optimizer.with.weightDecay=0.1",
    "name=a b",
  ]);
  assert.deepEqual(changed, {
    training: { seed: 7 },
    optimizer: { use: "adamw", with: { weightDecay: 0.1 } },
    name: "a b",
  });
  await assert.rejects(spec({}, ["nonsense"]), /expected path.to.key=value/);
});

it("paths among a search's choices are placed, and the part that --set changes is spelled out", async () => {
  const choices = ["./model", "attune:base"];
  const searched = (choices: string[]): unknown => ({
    model: "attune:base",
    search: { use: "random", with: { space: { "model.with.path": { type: "categorical", choices } } } },
  });
  const read = await spec(searched(choices) as object) as { search: unknown };
  assert.deepEqual(read.search, (searched([join(folder, "model"), "attune:base"]) as typeof read).search);
  assert.deepEqual(await spec({ optimizer: "lion" }, ["optimizer.with.beta1=0.5", "schedule.with.warmupSteps=2"]), {
    optimizer: { use: "lion", with: { beta1: 0.5 } },
    schedule: { use: "linear", with: { warmupSteps: 2 } },
  });
});
