/**
 * Gradients by central differences of the interpreter, to compare gradient rules with.
 * @module
 */
import assert from "node:assert/strict";
import type { DimValues } from "../../core/graph/dims.ts";
import * as f from "../../core/graph/functions.ts";
import type { Graph, Value } from "../../core/graph/graph.ts";
import { type Gradient, gradients } from "../../core/graph/vjp.ts";
import { uniforms } from "./cases.ts";
import { array, evaluate, type NDArray } from "./interpreter.ts";

const STEP = 1e-4;

/** A scalar of some values that tells all their elements apart: ∑ of each times a fixed random weight. */
export function mixed(outputs: readonly Value[], sizes: (value: Value) => readonly number[], seed = 7): Value {
  const next = uniforms(seed);
  const parts = outputs.map((value) => {
    const dims = sizes(value);
    const count = dims.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length: count }, () => 0.5 + next());
    const weights = value.graph.constant({ dtype: "float32", dims: [count], data });
    return f.sum(f.mul(f.reshape(f.cast(value, "float32"), value.shape), f.reshape(weights, value.shape)));
  });
  return parts.reduce((a, b) => f.add(a, b));
}

/** dloss/dx by four-point central differences (error of order h⁴). */
export function differences(
  graph: Graph,
  loss: Value,
  name: string,
  data: Readonly<Record<string, NDArray>>,
  dims: DimValues,
): NDArray {
  const x = data[name];
  if (!x) throw new RangeError(`Nothing is given for ${name}`);
  const lossAt = (i: number, change: number): number => {
    const changed = Float64Array.from(x.data);
    changed[i] = (x.data[i] ?? NaN) + change;
    return evaluate(graph, [loss], { ...data, [name]: { dims: x.dims, data: changed } }, dims)[0]?.data[0] ?? NaN;
  };
  return array(
    x.dims,
    Float64Array.from(x.data, (_, i) => {
      const near = lossAt(i, STEP) - lossAt(i, -STEP);
      const far = lossAt(i, 2 * STEP) - lossAt(i, -2 * STEP);
      return (8 * near - far) / (12 * STEP);
    }),
  );
}

/** A gradient whole: its dense part, and its rows added where they belong. Zeros where there is none. */
export function wholeGradient(
  gradient: Gradient,
  graph: Graph,
  like: NDArray,
  data: Readonly<Record<string, NDArray>>,
  dims: DimValues,
): NDArray {
  const total = new Float64Array(like.data.length);
  if (gradient.dense) {
    const [dense] = evaluate(graph, [gradient.dense], data, dims);
    assert.deepEqual(dense?.dims, like.dims, "a gradient has the dims of its value");
    dense?.data.forEach((d, i) => (total[i] = d));
  }
  const width = like.data.length / (like.dims[0] ?? 1);
  for (const { indices, rows } of gradient.sparse) {
    const [index, row] = evaluate(graph, [indices, rows], data, dims);
    row?.data.forEach((d, i) => {
      const at = (index?.data[Math.floor(i / width)] ?? NaN) * width + (i % width);
      total[at] = (total[at] ?? NaN) + d;
    });
  }
  return { dims: like.dims, data: total };
}

/** Asserts that the gradients of `loss` with respect to the named inputs equal its differences. */
export function checkGradients(
  graph: Graph,
  loss: Value,
  names: readonly string[],
  data: Readonly<Record<string, NDArray>>,
  dims: DimValues,
  sparse: ReadonlySet<Value> = new Set(),
): void {
  const wrt = names.map((name) => graph.inputs.get(name) as Value);
  const found = gradients(loss, wrt, sparse);
  names.forEach((name, i) => {
    const want = differences(graph, loss, name, data, dims);
    const got = wholeGradient(found[i] as Gradient, graph, data[name] as NDArray, data, dims);
    near(got, want, `d ${name}`);
  });
}

/** Asserts equality to 1e-6, relative to the largest element (constants of a graph are float32). */
export function near(got: NDArray, want: NDArray, what: string, tolerance = 1e-6): void {
  assert.deepEqual([...got.dims], [...want.dims], what);
  const scale = want.data.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-2);
  want.data.forEach((w, k) => {
    const error = Math.abs((got.data[k] ?? NaN) - w);
    assert.ok(error <= tolerance * scale, `${what}, element ${k}: expected ${w} but found ${got.data[k]}`);
  });
}
