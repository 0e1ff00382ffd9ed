/** Pieces of models in 16 bits, forward and backward, beside torch.autocast("cpu"): see test/fixtures/autocast.py. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import * as ort from "onnxruntime-node";
import { lower, shapeFeeds } from "../../../core/engine/lower/lower.ts";
import * as f from "../../../core/graph/ops/functions.ts";
import { Graph, type Value } from "../../../core/graph/graph.ts";
import { gradients } from "../../../core/graph/autodiff.ts";
import { writeOnnx } from "../../../core/onnx/write.ts";
import { i32 } from "../../../core/base/tensor.ts";
import { autocast, type Half } from "../../../blocks/accelerator/autocast.ts";

type Numbers = readonly number[];
const { inputs, pieces } = JSON.parse(
  readFileSync(new URL("../../fixtures/autocast.json", import.meta.url), "utf8"),
) as {
  inputs: Readonly<Record<string, Readonly<{ dims: Numbers; data: Numbers }>>>;
  pieces: Readonly<
    Record<string, Readonly<{ dtype: string; y: Numbers; gradients: Readonly<Record<string, Numbers>> }>>
  >;
};

const [ROWS, WIDTH, HEADS] = [6, 16, 2];

type Weights = Readonly<Record<string, Value>>;
const linear = (x: Value, w: Value, b?: Value): Value => f.gemm(x, w, b, { transB: true });
const heads = (x: Value): Value => f.transpose(f.reshape(x, [1, ROWS, HEADS, WIDTH / HEADS]), [0, 2, 1, 3]);

/** The pieces as models are built here; the name of what their outputs are multiplied by, where they are no loss. */
const builds: Readonly<Record<string, readonly [string | undefined, (t: Weights) => Value]>> = {
  "linear": ["g", ({ x, w1, b1 }) => linear(x!, w1!, b1)],
  "linear without bias": ["g", ({ x, w1 }) => linear(x!, w1!)],
  "gelu": ["h", ({ x, w1, b1, w2, b2 }) => linear(f.gelu(linear(x!, w1!, b1)), w2!, b2)],
  "tanh": ["h", ({ x, w1, b1, w2, b2 }) => linear(f.tanh(linear(x!, w1!, b1)), w2!, b2)],
  "relu": ["h", ({ x, w1, b1, w2, b2 }) => linear(f.relu(linear(x!, w1!, b1)), w2!, b2)],
  "gated": ["h", ({ x, w1, w2, w3 }) => linear(f.mul(f.silu(linear(x!, w1!)), linear(x!, w3!)), w2!)],
  "norm of 16 bits": ["g", ({ x, w1, n, m }) => f.layerNorm(linear(x!, w1!), n!, m!, 1e-5)],
  "residual": ["h", ({ x, q, b2, p }) => f.layerNorm(f.add(x!, linear(x!, q!, b2)), p!, b2!, 1e-5)],
  "softmax": ["g", ({ x, w1 }) => f.softmax(linear(x!, w1!))],
  "factor": ["h", ({ x, q, w1, w2 }) => f.add(linear(x!, q!), f.mul(linear(linear(x!, w1!), w2!), 0.3))],
  "attention": ["h", ({ x, q, k, v }) => {
    const scores = f.product(heads(linear(x!, q!)), heads(linear(x!, k!)), {
      alpha: 1 / Math.sqrt(WIDTH / HEADS),
      transB: true,
    });
    const read = f.matmul(f.softmax(scores), heads(linear(x!, v!)));
    return f.reshape(f.transpose(read, [0, 2, 1, 3]), [ROWS, WIDTH]);
  }],
  "cross entropy": [undefined, ({ x, w1, b1 }) => {
    const logits = linear(x!, w1!, b1);
    return x!.graph.within("loss.labels", () => {
      const labels = x!.graph.constant(i32([ROWS], Array.from({ length: ROWS }, (_, i) => i)));
      return f.mul(f.sum(f.pick(f.logSoftmax(logits), labels)), -1 / ROWS);
    });
  }],
};

async function run(name: string, half: Half): Promise<Readonly<Record<string, Float32Array>>> {
  const graph = new Graph([autocast(half, "cpu")]);
  const [weights, build] = builds[name] ?? assert.fail(name);
  const values = Object.fromEntries(
    Object.entries(inputs).map(([key, { dims }]) => [
      key,
      key === "x" ? graph.input(key, "float32", dims) : graph.parameter(key, "float32", dims),
    ]),
  );
  const y = build(values);
  graph.output("y", y);
  const wrt = Object.keys(inputs).filter((key) => key !== weights);
  const loss = weights === undefined ? y : graph.within("loss.sum", () => f.sum(f.mul(y, values[weights] as Value)));
  gradients(loss, wrt.map((key) => values[key] as Value)).forEach(({ dense }, i) => {
    if (dense) graph.output(`d.${wrt[i]}`, dense);
  });
  const { model, feeds, shapes } = lower(graph, () => ({ as: "feed" }));
  const session = await ort.InferenceSession.create(writeOnnx(model), { graphOptimizationLevel: "disabled" });
  const given: Record<string, ort.Tensor> = {};
  for (const key of feeds.keys()) {
    const { dims, data } = inputs[key] ?? assert.fail(key);
    given[key] = new ort.Tensor("float32", Float32Array.from(data), dims);
  }
  for (const [key, sizes] of shapeFeeds(shapes, {})) given[key] = new ort.Tensor("int64", sizes, [sizes.length]);
  const results = await session.run(given);
  await session.release();
  return Object.fromEntries(Object.entries(results).map(([key, { data }]) => [key, data as Float32Array]));
}

/**
 * How far a result may be from torch's, of its largest value: not at all where both round in the same places. Sums of
 * float32 differ by their order. torch's fused attention rounds shares before they are divided by their sum, and takes
 * the sum that its gradient subtracts from the rounded output; its norms of 16 bits round what gradients of weights add up.
 */
function boundOf(half: Half, piece: string, output: string): number {
  const coarse = half === "float16" ? 2 ** -10 : 2 ** -7;
  if (piece === "attention") return output === "d.v" ? 0 : coarse;
  if (piece === "norm of 16 bits" && (output === "d.n" || output === "d.m")) return coarse;
  const precise = piece === "residual" || (piece === "cross entropy" && output === "y");
  return precise ? 5e-7 : 0;
}

describe("autocast is torch's", () => {
  for (const [key, { y, gradients }] of Object.entries(pieces)) {
    it(key, async () => {
      const [half, name] = key.split(": ") as [Half, string];
      const results = await run(name, half);
      const all = Object.entries({
        y,
        ...Object.fromEntries(Object.entries(gradients).map(([k, v]) => [`d.${k}`, v])),
      });
      for (const [output, due] of all) {
        const found = results[output] ?? assert.fail(`no ${output}`);
        const most = Math.max(...due.map(Math.abs));
        const off = Math.max(...due.map((value, i) => Math.abs((found[i] ?? NaN) - value)));
        assert.ok(off <= boundOf(half, name, output) * most, `${output} is ${off / most} of its largest value away`);
      }
    });
  }

  it("rounds to the nearest, ties to even, as torch does", async () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["n"]);
    for (const half of ["float16", "bfloat16"] as const) graph.output(half, f.cast(f.cast(x, half), "float32"));
    const session = await ort.InferenceSession.create(writeOnnx(lower(graph, () => ({ as: "feed" })).model), {
      graphOptimizationLevel: "disabled",
    });
    const values = Float32Array.of(
      1 + 2 ** -11,
      1 + 3 * 2 ** -11,
      1 + 2 ** -8,
      1 + 3 * 2 ** -8,
      65519,
      65520,
      2 ** -25,
      3.4e38,
    );
    const { float16, bfloat16 } = await session.run({ x: new ort.Tensor("float32", values, [values.length]) });
    await session.release();
    const [half, brain] = [float16?.data as Float32Array, bfloat16?.data as Float32Array];
    assert.deepEqual([...half.slice(0, 2), ...half.slice(4, 7)], [1, 1 + 2 ** -9, 65504, Infinity, 0]);
    assert.deepEqual([...brain.slice(0, 5), brain[7]], [1, 1, 1, 1 + 2 ** -6, 65536, Infinity]);
  });
});
