/** What model cards say loads a quantized base in Python: transformers, asked so, quantizes what a run does. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { withHeads } from "../../../core/engine/inspect.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { pythonOf } from "../../../core/run/write/python_base.ts";
import { compose } from "../../../core/spec/compose.ts";
import type { Json, Named, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost } from "../../tiny.ts";

/** Of a class: what transformers hands to bitsandbytes, what it leaves out by itself, what it keeps in float32 always. */
type Model = Readonly<{
  task: string;
  class: string;
  config: Named<Json>;
  converted: readonly string[];
  leftOut: readonly string[];
  float32: readonly string[];
}>;

const file = new URL("../../fixtures/bitsandbytes_modules.json", import.meta.url);
const { models }: Readonly<{ models: readonly Model[] }> = JSON.parse(readFileSync(file, "utf8"));
const host = tinyHost(await hostHere(1));
const labels = { labels: ["bad", "good"] };

async function opened({ task, config }: Model, options: Named<Json> = {}) {
  const spec = {
    version: 1,
    model: { use: "random", with: { config, tokenizer: "tiny:model" } },
    task: task.endsWith("classification") ? { use: task, with: labels } : task,
    data: { train: { use: "memory", with: { rows: [{ text: "a film", label: "good" }] } } },
    adapter: { use: "lora", with: { targetModules: "all-linear" } },
    accelerators: [{ use: "nf4", with: options }],
  };
  return await openRun(compose(spec as unknown as RunSpec, catalog), host);
}

/** transformers' rule: an entry matches from the start to a dot, as a pattern, or as an end. */
const matches = (entry: string, name: string): boolean =>
  name.endsWith(entry) || new RegExp(`^(?:${entry})(?:(?<=\\.)|(?=\\.|$))`).test(name);

async function check(model: Model, options: Named<Json> = {}): Promise<void> {
  const open = await opened(model, options);
  const python = pythonOf(open);
  const linears = withHeads(open.backbone, open.heads).linears;
  const stored = linears.filter((path) => open.checkpoint.frozen?.storageOf(`${path}.weight`));
  assert.ok(stored.length > 0);
  if (model.config.model_type === "falcon") {
    assert.ok(!model.converted.some((name) => stored.includes(name)));
    return assert.equal(python, undefined);
  }
  assert.match(python ?? "", /^BitsAndBytesConfig\(load_in_4bit=True, .*\)$/);
  const list = /llm_int8_skip_modules=(\[[^\]]*\])/.exec(python ?? "")?.[1];
  const skipped = [...(list ? JSON.parse(list) : model.leftOut) as string[], ...model.float32];
  const converted = model.converted.filter((name) => !skipped.some((entry) => matches(entry, name)));
  // Where a class has the model's names behind one of its own.
  const own = (name: string): string => linears.includes(name) ? name : name.replace(/^transformer\./, "");
  // What a class has and never calls is of no consequence.
  const called = converted.map(own).filter((name) => linears.includes(name));
  assert.deepEqual(called.sort(), [...stored].sort(), python);
}

describe("a base as its model card loads it in Python", () => {
  for (const model of models) it(`${model.class}: the same layers are quantized`, () => check(model));

  const bert = models.find((model) => model.class === "BertForSequenceClassification") as Model;
  const llama = models.find((model) => model.class === "LlamaForCausalLM") as Model;
  for (
    const [name, model, options] of [
      ["a dotted part that transformers would not match", bert, { skipModules: ["attention"] }],
      ["a part of a name", bert, { skipModules: ["intermediate.dense", "pooler"] }],
      ["ends of names, and the output over the vocabulary still left out", llama, { skipModules: ["down_proj"] }],
      ["modules that are named", llama, { targetModules: ["q_proj", "mlp"] }],
    ] as const
  ) it(name, () => check(model, options));

  it("is left out where its blocks are others, or other layers have another quantizer", async () => {
    assert.equal(pythonOf(await opened(llama, { blockSize: 128 })), undefined);
  });
});
