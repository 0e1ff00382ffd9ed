import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/compose.ts";
import { trainRun } from "../../../core/run/train.ts";
import { readSafetensors } from "../../../core/safetensors.ts";
import type { Json, Named, RunSpec, Store, TrainingEvent } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/train.ts";
import { tinyHost, tinySpec, tinyWeights } from "../../tiny.ts";

type Weights = Named<Float32Array>;

async function run(
  optimizer: Json,
  training: Named<Json> = {},
  options: { output?: Store; resume?: boolean; stopAt?: number; adapter?: Json } = {},
): Promise<{ losses: number[]; weights: Weights; evaluated: number[] }> {
  const output = options.output ?? await memory().open(await hostHere(1));
  const abort = new AbortController();
  const losses: number[] = [];
  const evaluated: number[] = [];
  const spec = {
    ...tinySpec({
      optimizer,
      adapter: options.adapter ?? [],
      training: { learningRate: 0.1, maxGradNorm: 0, ...training },
    }),
    schedule: "constant",
  } as unknown as RunSpec;
  const events: AsyncIterable<TrainingEvent> = trainRun(compose(spec, catalog), tinyHost(await hostHere(1)), {
    output,
    resume: options.resume,
    signal: abort.signal,
  });
  for await (const event of events) {
    if (event.type === "step") {
      losses.push(event.loss);
      if (event.step === options.stopAt) abort.abort();
    }
    if (event.type === "evaluate") evaluated.push(event.metrics.loss ?? NaN);
  }
  const key = options.adapter ? "adapter/adapter_model.safetensors" : "model/model.safetensors";
  const bytes = (await output.get(key))?.bytes;
  const tensors = bytes ? readSafetensors(bytes, key) : {};
  return {
    losses,
    evaluated,
    weights: Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, t.data as Float32Array])),
  };
}

const before = Object.fromEntries(Object.entries(tinyWeights()).map(([name, t]) => [name, t.data]));
const moved = (weights: Weights, name: string): Float32Array =>
  (weights[name] ?? new Float32Array()).map((w, i) => w - (before[name]?.[i] ?? 0));
const near = (a: ArrayLike<number> | undefined, b: ArrayLike<number> | undefined, tolerance = 1e-6): void => {
  assert.ok(a && b && a.length === b.length && a.length > 0);
  for (let i = 0; i < a.length; i++) {
    assert.ok(Math.abs((a[i] ?? NaN) - (b[i] ?? NaN)) <= tolerance, `${i}: ${a[i]} and ${b[i]}`);
  }
};
const times = (x: Float32Array, factor: number): Float32Array => x.map((value) => value * factor);
const one = { maxSteps: 1 };
const dense = (layer: number): string => `bert.encoder.layer.${layer}.output.dense.weight`;

describe("groups of parameters", () => {
  it("have a factor of the rate, or a rate of their own; the first that fits counts", async () => {
    const plain = (await run("sgd", one)).weights;
    const groups: Json = [
      { pattern: "layer\\.0\\.output", lrScale: 0.5 },
      { pattern: "layer\\.1\\.output\\.dense", learningRate: 0.3 },
      { pattern: "layer\\.", lrScale: 0 },
    ];
    const { weights } = await run({ use: "sgd", with: { groups } }, one);
    near(moved(weights, dense(0)), times(moved(plain, dense(0)), 0.5));
    near(moved(weights, dense(1)), times(moved(plain, dense(1)), 3));
    near(
      weights["bert.encoder.layer.1.attention.self.query.weight"],
      before["bert.encoder.layer.1.attention.self.query.weight"],
      0,
    );
    near(weights["classifier.weight"], plain["classifier.weight"], 0);
  });

  it("have a weight decay of their own, biases too", async () => {
    const decayed = (options: Named<Json>) => run({ use: "adamw", with: { weightDecay: 0.1, ...options } }, one);
    const name = "bert.encoder.layer.0.output.dense.bias";
    const [all, none, own] = [
      await decayed({}),
      await decayed({ weightDecay: 0 }),
      await decayed({ groups: [{ pattern: "layer.0.output.dense", weightDecay: 0.5 }] }),
    ];
    const kept = (factor: number, of: string): Float32Array =>
      (none.weights[of] as Float32Array).map((w, i) => w - (1 - factor) * (before[of]?.[i] ?? 0));
    near(all.weights[name], none.weights[name], 0);
    near(own.weights[name], kept(0.95, name));
    near(own.weights[dense(0)], kept(0.95, dense(0)));
    near(own.weights[dense(1)], kept(0.99, dense(1)));
  });

  it("learn less the deeper they lie, with layerDecay", async () => {
    const plain = (await run("sgd", one)).weights;
    const { weights } = await run({ use: "sgd", with: { layerDecay: 0.5 } }, one);
    const table = "bert.embeddings.word_embeddings.weight";
    near(weights["classifier.weight"], plain["classifier.weight"], 0);
    near(moved(weights, dense(1)), times(moved(plain, dense(1)), 0.5));
    near(moved(weights, dense(0)), times(moved(plain, dense(0)), 0.25));
    near(moved(weights, table), times(moved(plain, table), 0.125));
  });

  it("are LoRA+ over lora_B", async () => {
    const adapter = [{ use: "lora", with: { r: 2, targetModules: ["query"] } }];
    const plain = (await run("sgd", one, { adapter })).weights;
    const { weights } = await run(
      { use: "sgd", with: { groups: [{ pattern: "lora_B", lrScale: 16 }] } },
      one,
      { adapter },
    );
    const names = Object.keys(weights).filter((name) => name.includes("lora_B"));
    assert.ok(names.length === 2);
    for (const name of names) near(weights[name], times(plain[name] as Float32Array, 16));
    for (const name of Object.keys(weights).filter((n) => n.includes("lora_A"))) near(weights[name], plain[name], 0);
  });

  it("must fit something", async () => {
    const optimizer = { use: "sgd", with: { groups: [{ pattern: "lora_B", lrScale: 16 }] } };
    await assert.rejects(run(optimizer, one), /No trained parameter fits groups pattern "lora_B"/);
  });
});

it("clipValue holds every value of the gradient", async () => {
  const plain = moved((await run("sgd", one)).weights, dense(1));
  const limit = 0.001;
  const { weights } = await run({ use: "sgd", with: { clipValue: limit } }, one);
  near(moved(weights, dense(1)), plain.map((d) => Math.max(-0.1 * limit, Math.min(0.1 * limit, d))), 1e-7);
  assert.ok(plain.some((d) => Math.abs(d) > 0.1 * limit));
});

describe("averages of weights", () => {
  const ema = (decay: number) => ({
    use: "ema",
    with: { decay, optimizer: { use: "adamw", with: { weightDecay: 0.1 } } },
  });
  const adamw = { use: "adamw", with: { weightDecay: 0.1 } };
  const training = { learningRate: 0.01 };

  it("are what is saved and evaluated; the weights that train go their own way", async () => {
    const [first, second, third] = [
      await run(adamw, { ...training, maxSteps: 1 }),
      await run(adamw, { ...training, maxSteps: 2 }),
      await run(adamw, { ...training, maxSteps: 3, evalStrategy: "steps", evalSteps: 1 }),
    ];
    const own = await run(ema(0.5), { ...training, maxSteps: 3, evalStrategy: "steps", evalSteps: 1 });
    assert.deepEqual(own.losses, third.losses);
    assert.ok(Math.abs((own.evaluated[0] ?? 0) - (third.evaluated[0] ?? 1)) < 1e-6, "the first average is the weights");
    assert.notDeepEqual(own.evaluated.slice(1), third.evaluated.slice(1));
    for (const [name, weights] of Object.entries(own.weights)) {
      const [a, b, c] = [first, second, third].map((r) => r.weights[name] as Float32Array) as Float32Array[];
      near(weights, a?.map((w, i) => 0.25 * w + 0.25 * (b?.[i] ?? 0) + 0.5 * (c?.[i] ?? 0)));
    }
  });

  it("of the best evaluation come back at the end", async () => {
    const best = { evalStrategy: "steps", evalSteps: 1, loadBestModelAtEnd: true };
    const own = await run(ema(0.5), { learningRate: 0.3, maxSteps: 4, ...best });
    const lowest = Math.min(...own.evaluated);
    assert.equal(own.evaluated.at(-1), lowest, `${own.evaluated}`);
  });
});

const optimizers: readonly Json[] = [
  { use: "ema", with: { optimizer: "lion", decay: 0.9 } },
  { use: "schedule-free-adamw", with: { weightDecay: 0.1 } },
  { use: "adafactor", with: { relativeStep: false } },
  { use: "adamw-8bit", with: { min8bitSize: 0, blockSize: 16, weightDecay: 0.1 } },
  "muon",
  { use: "lamb", with: { groups: [{ pattern: "layer.0", lrScale: 2 }] } },
];
describe("a run resumes to the same bits with", () => {
  for (const optimizer of optimizers) {
    it(JSON.stringify(optimizer), async () => {
      const training = { learningRate: 0.005, maxSteps: 5, evalStrategy: "steps", evalSteps: 2 };
      const straight = await run(optimizer, training);
      const output = await memory().open(await hostHere(1));
      const first = await run(optimizer, training, { output, stopAt: 2 });
      const second = await run(optimizer, training, { output, resume: true });
      assert.deepEqual([...first.losses, ...second.losses], straight.losses);
      assert.deepEqual(second.weights, straight.weights);
    });
  }
});
