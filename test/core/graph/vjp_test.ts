/**
 * Gradient rules against central differences in float64, op by op and composed.
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AttuneError } from "../../../core/errors.ts";
import { evaluateShape } from "../../../core/graph/dims.ts";
import * as f from "../../../core/graph/functions.ts";
import { Graph, reachable, type Shape, type Value } from "../../../core/graph/graph.ts";
import type { Op } from "../../../core/graph/ops.ts";
import { backward, type Gradient, gradients, isDifferentiable } from "../../../core/graph/vjp.ts";
import { f32 } from "../../../core/tensor.ts";
import { type Case, caseDims, cases, graphOf, uniforms } from "../../oracle/cases.ts";
import { checkGradients, differences, mixed, near } from "../../oracle/differences.ts";
import { array, evaluate, type NDArray } from "../../oracle/interpreter.ts";

const sizes = (value: Value): number[] => evaluateShape(value.shape, caseDims);

/** Inputs of a graph that are filled with random numbers. */
function random(graph: Graph, shapes: Readonly<Record<string, Shape>>, seed = 3): {
  data: Record<string, NDArray>;
  x: (name: string) => Value;
} {
  const next = uniforms(seed);
  const data: Record<string, NDArray> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const dims = evaluateShape(shape, caseDims);
    const count = dims.reduce((a, b) => a * b, 1);
    data[name] = array(dims, Float64Array.from({ length: count }, () => 3 * next() - 1.5));
    graph.input(name, "float32", shape);
  }
  return { data, x: (name) => graph.inputs.get(name) as Value };
}

/** Indices as an int32 input. */
function indices(graph: Graph, data: Record<string, NDArray>, name: string, shape: Shape, values: number[]): Value {
  data[name] = array(evaluateShape(shape, caseDims), values);
  return graph.input(name, "int32", shape);
}

/** Ops whose derivative is zero wherever there is one: gradients end there. */
const flat: readonly Op[] = ["Sign", "Not", "Equal", "Less", "Greater", "And", "Or"];

describe("the gradient of every op", () => {
  it("is absent only where the derivative is zero", () => {
    assert.deepEqual(
      (Object.keys(cases) as Op[]).filter((op) => !isDifferentiable(op)).sort(),
      [...flat].sort(),
    );
  });
  for (const [op, calls] of Object.entries(cases) as [Op, readonly Case[]][]) {
    it(`${op}: rule = differences`, () => {
      for (const [number, call] of calls.entries()) {
        const { graph, outputs, data } = graphOf(op, call, number + 50);
        const names = call.inputs.flatMap((input, i) =>
          input.dtype === "float32" && !call.held?.includes(i) ? [`x${i}`] : []
        );
        const loss = mixed(outputs.slice(0, 1), sizes);
        const wrt = names.map((name) => graph.inputs.get(name) as Value);
        try {
          if (call.refuses) {
            assert.throws(() => gradients(loss, wrt), {
              name: "AttuneError",
              code: "NO_GRADIENT",
              message: call.refuses,
            });
          } else checkGradients(graph, loss, names, data, caseDims);
        } catch (error) {
          if (error instanceof Error) error.message = `${op} call ${number}: ${error.message}`;
          throw error;
        }
      }
    });
  }
});
