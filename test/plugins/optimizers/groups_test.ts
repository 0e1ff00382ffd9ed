import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Json, Named } from "../../../core/types.ts";
import { adamw } from "../../../plugins/optimizers/adamw.ts";
import { has } from "../../../blocks/optimizer/common.ts";
import { muon } from "../../../plugins/optimizers/muon.ts";
import { run, type Weights } from "./runs.ts";
import { startWeights } from "../../tiny_run.ts";
import { allNear } from "../../near.ts";

const moved = (weights: Weights, name: string): Float32Array =>
  (weights[name] ?? new Float32Array()).map((w, i) => w - (startWeights[name]?.[i] ?? 0));
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
    allNear(moved(weights, dense(0)), times(moved(plain, dense(0)), 0.5), 1e-6);
    allNear(moved(weights, dense(1)), times(moved(plain, dense(1)), 3), 1e-6);
    allNear(
      weights["bert.encoder.layer.1.attention.self.query.weight"],
      startWeights["bert.encoder.layer.1.attention.self.query.weight"],
      0,
    );
    allNear(weights["classifier.weight"], plain["classifier.weight"], 0);
  });

  it("have a weight decay of their own, biases too", async () => {
    const decayed = (options: Named<Json>) => run({ use: "adamw", with: { weightDecay: 0.1, ...options } }, one);
    const name = "bert.encoder.layer.0.output.dense.bias";
    const [all, none, own] = [
      await decayed({}),
      await decayed({ weightDecay: 0 }),
      await decayed({ groups: [{ pattern: "layer.0.output.dense", weightDecay: 0.5 }] }),
    ];
    const afterDecay = (factor: number, of: string): Float32Array =>
      (none.weights[of] as Float32Array).map((w, i) => w - (1 - factor) * (startWeights[of]?.[i] ?? 0));
    allNear(all.weights[name], none.weights[name], 0);
    allNear(own.weights[name], afterDecay(0.95, name), 1e-6);
    allNear(own.weights[dense(0)], afterDecay(0.95, dense(0)), 1e-6);
    allNear(own.weights[dense(1)], afterDecay(0.99, dense(1)), 1e-6);
  });

  it("are named by patterns that no name makes slow", () => {
    assert.equal(has("^(\\w+)+$")(`${"a".repeat(5000)}.`), false);
    assert.equal(has("^(?!.*(bias|LayerNorm))")("layer.0.dense.weight"), true);
    assert.equal(has("^(?!.*(bias|LayerNorm))")("layer.0.dense.bias"), false);
    assert.ok(adamw.parse({ groups: [{ pattern: "a(" }] }).issues);
    assert.ok(adamw.parse({ groups: [{ pattern: "" }] }).issues);
    assert.ok(muon.parse({ adamwPattern: "a(" }).issues);
  });

  it("learn less the deeper they lie, with layerDecay", async () => {
    const plain = (await run("sgd", one)).weights;
    const { weights } = await run({ use: "sgd", with: { layerDecay: 0.5 } }, one);
    const table = "bert.embeddings.word_embeddings.weight";
    allNear(weights["classifier.weight"], plain["classifier.weight"], 0);
    allNear(moved(weights, dense(1)), times(moved(plain, dense(1)), 0.5), 1e-6);
    allNear(moved(weights, dense(0)), times(moved(plain, dense(0)), 0.25), 1e-6);
    allNear(moved(weights, table), times(moved(plain, table), 0.125), 1e-6);
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
    for (const name of names) allNear(weights[name], times(plain[name] as Float32Array, 16), 1e-6);
    for (const name of Object.keys(weights).filter((n) => n.includes("lora_A"))) allNear(weights[name], plain[name], 0);
  });

  it("must fit something", async () => {
    const optimizer = { use: "sgd", with: { groups: [{ pattern: "lora_B", lrScale: 16 }] } };
    await assert.rejects(run(optimizer, one), /No trained parameter matches the group pattern "lora_B"/);
  });
});

it("clipValue holds every value of the gradient", async () => {
  const plain = moved((await run("sgd", one)).weights, dense(1));
  const limit = 0.001;
  const { weights } = await run({ use: "sgd", with: { clipValue: limit } }, one);
  allNear(moved(weights, dense(1)), plain.map((d) => Math.max(-0.1 * limit, Math.min(0.1 * limit, d))), 1e-7);
  assert.ok(plain.some((d) => Math.abs(d) > 0.1 * limit));
});
