/** Products in int8, against plain arithmetic over the rounded numbers, by either kernel. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { usableFormat } from "../../../core/engine/format_check.ts";
import { lowerCodes } from "../../../core/engine/lower/encoded.ts";
import { lower } from "../../../core/engine/lower/lower.ts";
import { encodedName } from "../../../core/engine/lower/storage.ts";
import * as f from "../../../core/graph/ops/functions.ts";
import { Graph } from "../../../core/graph/graph.ts";
import { quantizeInt8 } from "../../../core/files/int8.ts";
import { writeOnnx } from "../../../core/onnx/write.ts";
import { createRandom } from "../../../core/math/random.ts";
import type { Ort, OrtTensor, WeightFormat } from "../../../core/types.ts";
import { encodeInt8, outputInt8 } from "../../../formats/quantization/output_int8.ts";
import { hostHere } from "../../../runtimes/host/train.ts";

const host = await hostHere(1);
const lib = host.lib as Ort;
const options = { forward: "int8", backward: "int8", activationScale: "row" } as const;
const format = outputInt8(options);
const otherwise = format.otherwise as WeightFormat;

const [ROWS, INPUTS] = [5, 48];
const random = createRandom(5);
const drawn = (name: string, length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => random.fork(name).normal(i));
const x = drawn("x", ROWS * INPUTS);
x.fill(1, 0, INPUTS); // only the largest integer
x.fill(0, INPUTS, 2 * INPUTS);
x[3 * INPUTS] = -300; // an outlier, which coarsens its own row alone

/** x times two weights, and back: what a session gives, and how often it quantizes. */
async function products(of: WeightFormat) {
  const graph = new Graph();
  const input = graph.input("x", "float32", ["rows", INPUTS]);
  const feeds: Record<string, OrtTensor> = { x: new lib.Tensor("float32", x, [ROWS, INPUTS]) };
  const weights = [24, 8].map((outputs, i) => {
    const name = `w${i}`;
    const values = drawn(name, outputs * INPUTS);
    values.fill(2, 0, INPUTS);
    const dims = [outputs, INPUTS] as const;
    const tensors = encodeInt8(values, dims, options);
    const dy = drawn(`dy${i}`, ROWS * outputs);
    for (const [part, t] of Object.entries(tensors)) {
      feeds[encodedName(name, part)] = new lib.Tensor(t.dtype, t.data, t.dims);
    }
    feeds[`dy${i}`] = new lib.Tensor("float32", dy, [ROWS, outputs]);
    const weight = graph.parameter(name, "float32", [...dims]);
    graph.output(`y${i}`, f.gemm(input, weight, undefined, { transB: true }));
    graph.output(`dx${i}`, f.gemm(graph.input(`dy${i}`, "float32", ["rows", outputs]), weight));
    return { name, dims, values, tensors, dy };
  });
  const { model } = lower(
    graph,
    (name) => {
      const own = weights.find((one) => one.name === name);
      if (!own) return { as: "feed" };
      const weight = { name, module: name, dims: own.dims, conv1d: false };
      const tensors = Object.fromEntries(
        Object.entries(own.tensors).map(([part, { dtype, dims }]) => [part, { dtype, dims }]),
      );
      return { as: "encoded", weight, format: of, tensors };
    },
    "cpu",
    undefined,
    lowerCodes(),
  );
  const session = await lib.InferenceSession.create(writeOnnx(model), { executionProviders: ["cpu"] });
  const results = await session.run(feeds);
  await session.release();
  const ops = model.graph.nodes.map(({ op }) => op);
  return { weights, results, quantized: ops.filter((op) => op === "QuantizeLinear").length };
}

/** What a row is rounded to: its largest magnitude is 127 steps. */
function rounded(row: Float32Array): Float64Array {
  const { values, scale } = quantizeInt8({ dtype: "float32", dims: [1, row.length], data: row });
  return Float64Array.from(values.data, (q) => q * (scale.data[0] ?? 0));
}

const rowsOf = (a: Float32Array, width: number): Float32Array[] =>
  Array.from({ length: a.length / width }, (_, r) => a.slice(r * width, (r + 1) * width));

function near(found: unknown, wanted: readonly number[]): void {
  const most = Math.max(...wanted.map(Math.abs));
  const data = found as Float32Array;
  assert.equal(data.length, wanted.length);
  wanted.forEach((y, i) => assert.ok(Math.abs(y - (data[i] ?? NaN)) <= 3e-6 * most, `${i}: ${data[i]} and ${y}`));
}

for (const [kernel, of] of [["signed codes", format], ["codes without a sign", otherwise]] as const) {
  describe(kernel, () => {
    it("multiply as plain arithmetic does, and an input of several products is rounded once", async () => {
      const { weights, results, quantized } = await products(of);
      weights.forEach(({ dims: [outputs], values, dy }, i) => {
        const w = rowsOf(values, INPUTS).map(rounded);
        const scales = rowsOf(values, INPUTS).map((row) => Math.fround(Math.max(...row.map(Math.abs)) / 127));
        const y = rowsOf(x, INPUTS).map(rounded).flatMap((row) => w.map((own) => dot(row, own)));
        near(results[`y${i}`]?.data, y);
        const scaled = rowsOf(dy, outputs).map((row) => rounded(row.map((g, o) => g * (scales[o] ?? 0))));
        const dx = scaled.flatMap((row) =>
          Array.from(
            { length: INPUTS },
            (_, k) => dot(row, Float64Array.from(w, (own, o) => (own[k] ?? 0) / (scales[o] ?? 1))),
          )
        );
        near(results[`dx${i}`]?.data, dx);
      });
      assert.equal(quantized, 1 + weights.length);
    });
    it("are tested before they are used", async () => {
      const label = `alone: ${kernel}`;
      const { otherwise: _, ...alone } = of;
      const dims = [32, 64] as const;
      const sample = () => {
        const values = drawn("sample", 32 * 64);
        values.fill(3, 0, 64);
        const weight = { name: "w", module: "w", dims, conv1d: false };
        return { weight, format: of, tensors: encodeInt8(values, dims, options) };
      };
      assert.ok((await usableFormat(host, { ...alone, label }, sample)).writeProduct);
      const wrong: WeightFormat = { ...format, label: `wrong ${kernel}`, writeProduct: (w) => w.tensor("scales") };
      assert.equal(await usableFormat(host, { ...wrong, otherwise: of }, sample), of);
      await assert.rejects(
        usableFormat(host, { ...wrong, label: `${label} wrong`, otherwise: wrong }, sample),
        /"alone: .* wrong" cannot be computed on cpu/,
      );
    });
  });
}

it("either kernel gives the same bits", async () => {
  const [a, b] = [await products(format), await products(otherwise)];
  for (const name of ["y0", "y1", "dx0", "dx1"]) assert.deepEqual(a.results[name]?.data, b.results[name]?.data, name);
});

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}
