/**
 * Inferred dtypes and shapes are those the runtime gives, with symbolic dims too; calls that do not fit are refused.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { evaluateShape } from "../../../core/graph/ops/dims.ts";
import * as f from "../../../core/graph/ops/functions.ts";
import { Graph, type Value } from "../../../core/graph/graph.ts";
import type { Op } from "../../../core/graph/ops/ops.ts";
import { near } from "../../../conformance/differences.ts";
import { interpret } from "../../../conformance/oracle/interpreter.ts";
import { runOnnx } from "../../oracle/runtime.ts";
import { type Call, callDims, calls, graphOf } from "./calls.ts";

/** Relative to the largest element: 16 roundings of float32. */
const TOLERANCE = 16 * 2 ** -24;

describe("inferred dtypes and shapes, and values, are the runtime's", () => {
  for (const [op, list] of Object.entries(calls) as [Op, readonly Call[]][]) {
    it(op, async () => {
      assert.ok(list.length > 0);
      for (const [number, call] of list.entries()) {
        const { graph, outputs, data } = graphOf(op, call, number + 1);
        const wanted = interpret(graph, data, outputs, callDims);
        const found = await runOnnx(graph, data, callDims);
        outputs.forEach((value, i) => {
          const [want, got] = [wanted[i], found[`y${i}`]];
          const what = `call ${number} of ${op}, output ${i}`;
          assert.equal(got?.dtype, value.dtype, what);
          assert.deepEqual([...got?.dims ?? []], evaluateShape(value.shape, callDims), what);
          near(got, want, what, value.dtype === "float32" ? TOLERANCE : 0);
        });
      }
    });
  }
});

describe("calls that do not fit are refused", () => {
  const graph = new Graph();
  const x = (name: string, ...shape: (string | number)[]): Value => graph.input(name, "float32", shape);
  const [rows, matrix, other] = [x("rows", "batch*seq", 4), x("matrix", 4, 5), x("other", 3, 5)];
  const whole = graph.input("whole", "int32", [4]);
  const refused: Record<string, () => unknown> = {
    "Add: shapes that do not broadcast": () => f.add(matrix, other),
    "Add: symbolic dims that differ": () => f.add(rows, x("others", "batch", 4)),
    "Add: two dtypes": () => f.add(x("four", 4), whole),
    "Where: a condition that is no bool": () => f.where(matrix, matrix, matrix),
    "MatMul: inner dims": () => f.matmul(matrix, other),
    "MatMul: a vector": () => f.matmul(x("vector", 4), matrix),
    "FusedMatMul: inner dims once transposed": () => f.product(rows, matrix, { transB: true }),
    "Gemm: three axes": () => f.gemm(x("three", 2, 3, 4), matrix),
    "Transpose: an axis twice": () => f.transpose(matrix, [0, 0]),
    "Transpose: too few axes": () => f.transpose(matrix, [0]),
    "Reshape: other numbers of elements": () => f.reshape(rows, ["batch", 4]),
    "Concat: other dims": () => f.concat([matrix, other], 1),
    "Concat: two ranks": () => f.concat([matrix, x("single", 5)], 0),
    "Slice: beyond the end": () => f.slice(matrix, 0, 1, 5),
    "Slice: a start beyond the end": () => f.slice(matrix, 0, 3, 2),
    "Slice: a negative start": () => f.slice(matrix, 0, -1, null),
    "Slice: a start beyond the axis": () => f.slice(matrix, 0, 5, null),
    "Slice: a start beyond the end of a symbolic axis": () => f.slice(rows, 0, 3, 2),
  };
  for (const [name, build] of Object.entries(refused)) {
    it(name, () => {
      const before = graph.nodes.length;
      assert.throws(build, {
        name: "AttuneError",
        code: "BAD_SHAPE",
        message: new RegExp(`${name.split(":")[0]}: expected`),
      });
      assert.equal(graph.nodes.length, before, "nothing is appended");
    });
  }
});
