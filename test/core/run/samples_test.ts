import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Json, Metric, Named, RunSpec, Store, TrainingEvent } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost } from "../../tiny.ts";
import { jsonBytes } from "../../../core/base/bytes.ts";

const config = {
  model_type: "llama",
  vocab_size: 30,
  hidden_size: 8,
  intermediate_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  max_position_embeddings: 40,
};
const rows = ["good", "bad", "dull", "fine"].map((completion) => ({ prompt: "the film was ", completion }));

/** A run of a small language model; its events, its output, and what it threw. */
async function run(
  options: Readonly<
    { generation?: Named<Json>; metrics?: readonly (string | Metric)[]; rows?: readonly Named<Json>[] }
  >,
): Promise<Readonly<{ events: TrainingEvent[]; output: Store; error: Error | undefined }>> {
  const host = tinyHost(await hostHere(1), {
    "config.json": jsonBytes(config),
    ...(options.generation ? { "generation_config.json": jsonBytes(options.generation) } : {}),
  });
  const { rows: own = rows } = options;
  const data = { use: "memory", with: { rows: own } };
  const spec = {
    version: 1,
    model: { use: "random", with: { path: "tiny:model" } },
    task: { use: "causal-lm", with: { generation: { maxNewTokens: 4 } } },
    data: { train: data, eval: data },
    metrics: options.metrics ?? ["perplexity"],
    adapter: { use: "lora", with: { r: 2 } },
    loggers: [],
    training: { maxSteps: 2, perDeviceTrainBatchSize: 2, evalStrategy: "steps", evalSteps: 1, learningRate: 0.01 },
  };
  const output = await memory().open(host);
  const events: TrainingEvent[] = [];
  try {
    const composed = compose(spec as unknown as RunSpec, catalog);
    for await (const event of trainRun(composed, host, { output })) events.push(event);
    return { events, output, error: undefined };
  } catch (error) {
    return { events, output, error: error as Error };
  }
}
const stepsOf = (events: readonly TrainingEvent[]): number => events.filter(({ type }) => type === "step").length;

describe("what a language model says in evaluations", () => {
  it("is kept in samples.jsonl, step by step", async () => {
    const { events, output, error } = await run({});
    assert.equal(error, undefined);
    const file = await output.get("samples.jsonl");
    const lines = new TextDecoder().decode(file?.bytes).trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(lines.map(({ step }) => step), [1, 1, 1, 2, 2, 2]);
    assert.deepEqual(lines.map(({ prompt, reference }) => [prompt, reference]).slice(0, 2), [
      ["the film was ", "good"],
      ["the film was ", "bad"],
    ]);
    assert.ok(lines.every(({ text }) => typeof text === "string"));
    assert.equal(events.filter(({ type }) => type === "samples").length, 2);
  });
});

describe("what generation would refuse is refused before the first step", () => {
  for (const [field, value] of Object.entries({ guidance_scale: 1.5, penalty_alpha: 0.6, temperature: "hot" })) {
    it(field, async () => {
      const { events, error } = await run({ generation: { [field]: value } });
      assert.match(String(error), new RegExp(field));
      assert.equal(stepsOf(events), 0);
    });
  }
  it("texts measured of rows that have no answer", async () => {
    const { events, error } = await run({ metrics: ["exact-match"], rows: [{ text: "the film was good" }] });
    assert.match(String(error), /rows with an answer/);
    assert.equal(stepsOf(events), 0);
  });
  it("min_p and other samplers are built", async () => {
    const { error } = await run({ generation: { do_sample: true, min_p: 0.1, typical_p: 0.9, suppress_tokens: [7] } });
    assert.equal(error, undefined);
  });
});

describe("what was trained is written", () => {
  it("whatever the last evaluation does", async () => {
    // The longest prompt leaves no room for an answer: only generation finds that.
    const long = { prompt: "the film was ".repeat(13).trim(), completion: "" };
    const { events, output, error } = await run({ metrics: ["exact-match"], rows: [...rows, long] });
    assert.equal(stepsOf(events), 2);
    assert.ok(await output.get("adapter/adapter_model.safetensors"));
    assert.match(String(error), /row 4/);
  });
});
