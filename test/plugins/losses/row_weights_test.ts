import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { buildOn } from "../../graph_builder.ts";
import { Graph } from "../../../core/graph/graph.ts";
import { gradients } from "../../../core/graph/autodiff.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Catalog, Json, Loss, Named, Row, Tensor } from "../../../core/types.ts";
import { interpret } from "../../../conformance/oracle/interpreter.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { crossEntropy } from "../../../plugins/losses/cross_entropy.ts";
import { memory as memoryStore } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinyRows, tinySpec } from "../../tiny.ts";
import { collect } from "../../../core/base/collect.ts";

const fixture = JSON.parse(readFileSync(new URL("../../fixtures/row_weights.json", import.meta.url), "utf8"));

it("losses with weights of rows and their gradients equal torch's", () => {
  for (const { name, options, output, target, weight, loss: expected, gradient } of fixture.cases) {
    const parsed = (catalog as Catalog).loss?.[name]?.parse(options);
    const loss = (parsed && !parsed.issues ? parsed.value : undefined) as Loss;
    const graph = new Graph();
    const { build } = buildOn(graph);
    const rows = weight.length;
    const x = graph.input("output", "float32", output.dims);
    const value = loss.sum(
      build,
      x,
      graph.input("target", target.dtype, target.dims),
      graph.input("weight", "float32", [rows]),
    );
    const [slope] = gradients(value, [x]);
    const given = {
      output: { dims: output.dims, data: Float64Array.from(output.data) },
      target: { dims: target.dims, data: Float64Array.from(target.data) },
      weight: { dims: [rows], data: Float64Array.from(weight) },
    };
    const [sum, d] = interpret(graph, given, [value, ...(slope?.dense ? [slope.dense] : [])], {});
    const targets: Tensor = target.dtype === "int32"
      ? { dtype: "int32", dims: target.dims, data: Int32Array.from(target.data) }
      : { dtype: "float32", dims: target.dims, data: Float32Array.from(target.data) };
    const count = loss.count(targets, { dtype: "float32", dims: [rows], data: Float32Array.from(weight) });
    const near = (actual: number, wanted: number) =>
      assert.ok(
        Math.abs(actual - wanted) <= 1e-6 * Math.max(1, Math.abs(wanted)),
        `${name} ${JSON.stringify(options)}: ${actual}, ${wanted}`,
      );
    near((sum?.data[0] ?? NaN) / count, expected);
    gradient.forEach((g: number, i: number) => near((d?.data[i] ?? NaN) / count, g));
  }
});

const host = tinyHost(await hostHere(1));
const noDropout = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };
const llama = {
  model: {
    use: "random",
    with: {
      config: {
        model_type: "llama",
        vocab_size: 64,
        hidden_size: 16,
        intermediate_size: 32,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        max_position_embeddings: 64,
      },
      tokenizer: "tiny:model",
    },
  },
};
const steps = async (task: Json, rows: readonly Row[], training: Named<Json> = {}, more: Named<unknown> = {}) => {
  const data = { use: "memory", with: { rows: rows as unknown as Json } };
  const plain = {
    trainSamplingStrategy: "sequential",
    perDeviceTrainBatchSize: 64,
    perDeviceEvalBatchSize: 64,
    maxSteps: 2,
  };
  const spec = {
    ...tinySpec(),
    model: { use: "pretrained", with: { path: "tiny:model", config: noDropout, ignoreMismatchedSizes: true } },
    ...more,
    task,
    data: { train: data, eval: data },
    training: { learningRate: 0.01, maxGradNorm: 0, evalOnStart: true, seed: 3, ...plain, ...training },
  };
  const events = await collect(trainRun(compose(spec as never, catalog), host, {}));
  return events.flatMap((event) =>
    event.type === "step" ? [event.loss, event.gradNorm] : event.type === "evaluate" ? [event.metrics.loss ?? NaN] : []
  );
};
const near = (actual: readonly number[], wanted: readonly number[]) => {
  assert.ok(wanted.length >= 5 && actual.length === wanted.length);
  actual.forEach((x, i) =>
    assert.ok(Math.abs(x - (wanted[i] ?? NaN)) <= 2e-5 * Math.max(1, Math.abs(x)), `${actual}\n${wanted}`)
  );
};

const texts = tinyRows.slice(0, 6);
const words = texts.map(({ text }) => String(text).split(" "));
const tasks: Readonly<Record<string, readonly [Json, readonly Row[]]>> = {
  "classes": [{ use: "sequence-classification", with: { labels: ["bad", "good"] } }, texts],
  "several labels": [
    { use: "sequence-classification", with: { labels: ["a", "b", "c"], problemType: "multi-label" } },
    texts.map(({ text }, i) => ({ text, labels: ["a", "b", "c"].filter((_, k) => (i + k) % 2 === 0) })),
  ],
  "numbers": [
    { use: "sequence-classification", with: { problemType: "regression" } },
    texts.map(({ text }, i) => ({ text, label: i / 3 - 1 })),
  ],
  "tags": [
    { use: "token-classification", with: { labels: ["x", "y"] } },
    words.map((tokens) => ({ tokens, tags: tokens.map((word) => (word.length > 3 ? "x" : "y")) })),
  ],
  "answers": [
    "question-answering",
    texts.map(({ text }) => ({
      question: "the film",
      context: text,
      answers: { text: ["was"], answer_start: [String(text).indexOf("was")] },
    })),
  ],
  "choices": [
    "multiple-choice",
    texts.map(({ text }, i) => ({ context: text, choices: ["good", "the bad film"], label: i % 2 })),
  ],
  "masked words": [
    "masked-lm",
    words.map((own, i) => {
      const ids = [2, ...own.map((_, k) => 5 + (i + k) % 8), 3];
      return {
        input_ids: ids.map((id, k) => (k % 3 === 1 ? 4 : id)),
        labels: ids.map((id, k) => (k % 3 === 1 ? id : -100)),
      };
    }),
  ],
};
const weights = [2, 1, 0, 3, 1, 1];
for (const [what, [task, rows]] of Object.entries(tasks)) {
  it(`${what}: a row of weight n is n rows`, async () => {
    const weighed = rows.map((row, i) => ({ ...row, weight: weights[i] ?? 1 }));
    const repeated = rows.flatMap((row, i) => Array.from({ length: weights[i] ?? 1 }, () => row));
    near(await steps(task, weighed), await steps(task, repeated));
  });
}

it("label smoothing and classes' weights count by rows' weights, and micro-batches add up to the step", async () => {
  const [task = "", rows = []] = tasks.classes ?? [];
  const weighed = rows.map((row, i) => ({ ...row, weight: String(weights[i] ?? 1) }));
  const repeated = rows.flatMap((row, i) => Array.from({ length: weights[i] ?? 1 }, () => row));
  const loss = { loss: { use: "cross-entropy", with: { over: "step", weight: [0.5, 2] } } };
  const smooth = { labelSmoothingFactor: 0.1 };
  const whole = await steps(task, repeated, smooth, loss);
  near(await steps(task, weighed, smooth, loss), whole);
  const parts = { ...smooth, perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 3 };
  near(await steps(task, weighed, parts, loss), whole);
});

it("texts of language models count by their weight, also in packed rows", async () => {
  const weighed = texts.map(({ text }, i) => ({ text, weight: weights[i] ?? 1 }));
  const repeated = texts.flatMap(({ text }, i) => Array.from({ length: weights[i] ?? 1 }, () => ({ text })));
  const whole = await steps("causal-lm", repeated, {}, llama);
  near(await steps("causal-lm", weighed, {}, llama), whole);
  const packing = { use: "causal-lm", with: { packing: true } };
  near(
    await steps(packing, weighed, { maxLength: 24, gradientAccumulationSteps: 2, perDeviceTrainBatchSize: 2 }, llama),
    whole,
  );
});

it("weights of 1 change nothing, and wrong ones are named", async () => {
  const [task = "", rows = []] = tasks.classes ?? [];
  assert.deepEqual(await steps(task, rows.map((row) => ({ ...row, weight: 1 }))), await steps(task, rows));
  const wrong = async (weight: unknown, pattern: RegExp) =>
    await assert.rejects(
      steps(task, rows.map((row, i) => (i === 2 ? { ...row, weight } : { ...row, weight: 1 }))),
      pattern,
    );
  for (const weight of [-1, "much", null, Infinity]) await wrong(weight, /row 2, column "weight".*at least 0/);
  const none = rows.map((row) => ({ ...row, weight: 0 }));
  await assert.rejects(steps(task, none), /column "weight".*above 0 in at least one row/);
  await assert.rejects(
    steps(task, [...rows, { ...rows[0], weight: 1 }]),
    /row 6 has a column "weight", but the first row has none/,
  );
  await assert.rejects(steps(task, [{ ...rows[0], weight: 1 }, ...rows]), /row 1 has no column "weight"/);
});

it("balanced classes weigh n / (k n_k) of the training rows' labels, and are written down so", async () => {
  const [task = ""] = tasks.classes ?? [];
  const rows = tinyRows.filter((_, i) => i % 2 === 0 || i % 6 === 1).slice(0, 8);
  const good = rows.filter(({ label }) => label === "good").length;
  const balanced = { loss: { use: "cross-entropy", with: { classWeights: "balanced" } } };
  const numbers = [8 / (2 * (8 - good)), 8 / (2 * good)];
  assert.notEqual(good, 4);
  const given = { loss: { use: "cross-entropy", with: { classWeights: numbers } } };
  assert.deepEqual(await steps(task, rows, {}, balanced), await steps(task, rows, {}, given));
  const same = { loss: { use: "cross-entropy", with: { weight: numbers } } };
  assert.deepEqual(await steps(task, rows, {}, same), await steps(task, rows, {}, given));
  const data = { use: "memory", with: { rows: rows as unknown as Json } };
  const spec = { ...tinySpec(), ...balanced, data: { train: data }, training: { maxSteps: 1 } };
  const output = await memoryStore().open(host);
  for await (const _ of trainRun(compose(spec as never, catalog), host, { output }));
  const written = JSON.parse(new TextDecoder().decode((await output.get("spec.json"))?.bytes));
  assert.deepEqual(written.loss.with.classWeights, numbers);
  // Words count by their tags.
  const [tagTask = "", tagRows = []] = tasks.tags ?? [];
  const tags = tagRows.flatMap((row) => row.tags as string[]);
  const count = (tag: string) => tags.filter((own) => own === tag).length;
  const byTag = {
    loss: { use: "cross-entropy", with: { classWeights: ["x", "y"].map((t) => tags.length / (2 * count(t))) } },
  };
  assert.deepEqual(await steps(tagTask, tagRows, {}, balanced), await steps(tagTask, tagRows, {}, byTag));
  await assert.rejects(steps("masked-lm", tinyRows, {}, balanced), /classWeights.*does not say which classes/);
  assert.throws(() => crossEntropy({ weight: [1, 2], classWeights: "balanced" }), /not both/);
});
