/** Gradients by central differences in the interpreter, as a reference for gradient rules. */
import { assert } from "./assert.ts";
import { type DimValues, evaluateShape, type Shape } from "../core/graph/ops/dims.ts";
import * as f from "../core/graph/ops/functions.ts";
import type { Graph, Value } from "../core/graph/graph.ts";
import { type Gradient, gradients } from "../core/graph/autodiff.ts";
import { createRandom } from "../core/math/random.ts";
import { type DType, sizeOf } from "../core/base/tensor.ts";
import { interpret, type Reference } from "./oracle/interpreter.ts";

/** Inputs of a run, by name. */
export type InputValues = Record<string, Reference>;

const STEP = 1e-4;

/** Creates a float input with random numbers that are exact in float32, and adds them to `values`. */
export function randomInput(graph: Graph, values: InputValues, name: string, shape: Shape, dims: DimValues): Value {
  const size = evaluateShape(shape, dims);
  const random = createRandom(5).fork(name);
  values[name] = {
    dims: size,
    data: Float64Array.from({ length: sizeOf(size) }, (_, i) => Math.fround(random.normal(i))),
  };
  return graph.input(name, "float32", shape);
}

/** Creates an input with given numbers, and adds them to `values`. */
export function fixedInput(
  graph: Graph,
  values: InputValues,
  name: string,
  dtype: DType,
  shape: Shape,
  dims: DimValues,
  data: readonly number[],
): Value {
  values[name] = { dims: evaluateShape(shape, dims), data: Float64Array.from(data) };
  return graph.input(name, dtype, shape);
}

/** Returns a scalar that depends on every element of the outputs: their sum with random weights. */
export function mixed(outputs: readonly Value[], values: InputValues, dims: DimValues): Value {
  return outputs
    .map((value) => {
      const weights = randomInput(value.graph, values, `weights of ${value.id}`, value.shape, dims);
      return f.sum(f.mul(f.cast(value, "float32"), weights));
    })
    .reduce((a, b) => f.add(a, b));
}

/** Returns dloss/dx by four-point central differences, with an error of order h⁴. */
export function differences(loss: Value, name: string, values: Readonly<InputValues>, dims: DimValues): Reference {
  const x = values[name];
  if (!x) throw new RangeError(`No expected value was given for ${name}`);
  const lossAt = (i: number, change: number): number => {
    const data = Float64Array.from(x.data);
    data[i] = (x.data[i] ?? NaN) + change;
    return interpret(loss.graph, { ...values, [name]: { dims: x.dims, data } }, [loss], dims)[0]?.data[0] ?? NaN;
  };
  const data = Float64Array.from(x.data, (_, i) => {
    const near = lossAt(i, STEP) - lossAt(i, -STEP);
    const far = lossAt(i, 2 * STEP) - lossAt(i, -2 * STEP);
    return (8 * near - far) / (12 * STEP);
  });
  return { dims: x.dims, data };
}

/** Returns a gradient as one dense tensor: its dense part plus its sparse rows, or zeros without a gradient. */
export function wholeGradient(
  gradient: Gradient | undefined,
  graph: Graph,
  like: Reference,
  values: Readonly<InputValues>,
  dims: DimValues,
): Reference {
  const total = new Float64Array(like.data.length);
  if (gradient?.dense) {
    const [dense] = interpret(graph, values, [gradient.dense], dims);
    assert.deepEqual(dense?.dims, like.dims, "a gradient has the dims of its value");
    assert.deepEqual(evaluateShape(gradient.dense.shape, dims), like.dims, "and is known to have them");
    dense?.data.forEach((d, i) => (total[i] = d));
  }
  const width = like.data.length / (like.dims[0] ?? 1);
  for (const { indices, rows } of gradient?.sparse ?? []) {
    const [index, row] = interpret(graph, values, [indices, rows], dims);
    row?.data.forEach((d, i) => {
      const at = (index?.data[Math.floor(i / width)] ?? NaN) * width + (i % width);
      total[at] = (total[at] ?? NaN) + d;
    });
  }
  return { dims: like.dims, data: total };
}

/** Asserts that the gradients of `loss` with respect to the named inputs equal its differences. */
export function checkGradients(
  loss: Value,
  names: readonly string[],
  inputs: Readonly<InputValues>,
  dims: DimValues,
  sparse: ReadonlySet<Value> = new Set(),
): void {
  const wrt = names.map((name) => loss.graph.inputs.get(name) as Value);
  const found = gradients(loss, wrt, sparse);
  names.forEach((name, i) => {
    const like = inputs[name] as Reference;
    near(wholeGradient(found[i], loss.graph, like, inputs, dims), differences(loss, name, inputs, dims), `d ${name}`);
  });
}

/** Asserts equality, relative to the largest element (a graph holds its constants in float32, so 1e-6 by default). */
export function near(
  got: Readonly<{ dims: readonly number[]; data: ArrayLike<number> }> | undefined,
  want: Reference | undefined,
  what: string,
  tolerance = 1e-6,
): void {
  assert.ok(got && want, what);
  assert.deepEqual([...got.dims], [...want.dims], what);
  const scale = want.data.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-3);
  want.data.forEach((w, k) => {
    const error = Math.abs((got.data[k] ?? NaN) - w);
    assert.ok(error <= tolerance * scale, `${what}, element ${k}: expected ${w} but found ${got.data[k]}`);
  });
}
