import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { lower } from "../../../core/engine/lower/lower.ts";
import { capabilities } from "../../../core/graph/capabilities.ts";
import * as f from "../../../core/graph/ops/functions.ts";
import { gradients, isDifferentiable } from "../../../core/graph/autodiff.ts";
import { Graph, reachable } from "../../../core/graph/graph.ts";
import { writeOnnx } from "../../../core/onnx/write.ts";
import { createRandom } from "../../../core/math/random.ts";
import type { Ort } from "../../../core/types.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { interpret, type Reference } from "../../../conformance/oracle/interpreter.ts";
import { cases, graphOf, type OpCase } from "./cases.ts";

function values(one: OpCase): Record<string, Reference> {
  return Object.fromEntries(
    Object.entries(one.shapes).map(([name, dims]) => {
      const random = createRandom(1).fork(one.name, name);
      const data = Float64Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => {
        const x = random.normal(i);
        // float32 values, so that the runtime starts from the same numbers
        return Math.fround(one.positive ? 0.5 + Math.abs(x) : x);
      });
      return [name, { dims, data }];
    }),
  );
}

describe("every op", () => {
  it("has a case and a line in the capability tables", () => {
    const known = new Set<string>(cases.map((c) => c.op));
    for (const table of Object.values(capabilities)) {
      assert.deepEqual(Object.keys(table).filter((op) => !known.has(op)), []);
    }
  });
  for (const one of cases) {
    it(`${one.name} on the runtime equals the reference`, async () => {
      const { graph, result } = graphOf(one);
      graph.output("result", result);
      const { model, feeds, shapes } = lower(graph, () => ({ as: "feed" }));
      assert.equal(shapes.size, 0);
      const lib = (await hostHere(1)).lib as Ort;
      const session = await lib.InferenceSession.create(writeOnnx(model), {
        graphOptimizationLevel: "disabled",
        logSeverityLevel: 3,
      });
      const inputs = values(one);
      const fed = Object.fromEntries([...feeds.keys()].map((name) => {
        const x = inputs[name] as Reference;
        return [name, new lib.Tensor("float32", Float32Array.from(x.data), x.dims)];
      }));
      const actual = (await session.run(fed)).result;
      await session.release();
      const [wanted] = interpret(graph, inputs, [result]);
      assert.deepEqual([...(actual?.dims ?? [])], wanted?.dims);
      assert.deepEqual(result.shape, wanted?.dims);
      [...(actual?.data as Float32Array)].forEach((x, i) => {
        const want = wanted?.data[i] ?? NaN;
        assert.ok(Math.abs(x - want) <= 3e-6 * Math.max(1, Math.abs(want)), `${i}: ${x} and ${want}`);
      });
    });
  }
});

describe("gradient rules", () => {
  for (const one of cases.filter((c) => isDifferentiable(c.op))) {
    it(`${one.name} equals finite differences`, () => {
      const { graph, inputs, result } = graphOf(one);
      const weights = graph.input("weights", "float32", result.shape);
      const loss = f.sum(f.mul(result, weights));
      const wrt = Object.values(inputs);
      const rules = gradients(loss, wrt);
      const given = values(one);
      const random = createRandom(2).fork(one.name);
      const dims = interpret(graph, { ...given, weights: { dims: [], data: Float64Array.of(0) } }, [result])[0]?.dims ??
        [];
      given.weights = {
        dims,
        data: Float64Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => random.normal(i)),
      };
      const at = (): number => interpret(graph, given, [loss])[0]?.data[0] ?? NaN;
      Object.keys(inputs).forEach((name, k) => {
        const gradient = rules[k]?.dense;
        const slope = gradient ? interpret(graph, given, [gradient])[0]?.data : undefined;
        const x = given[name]?.data ?? new Float64Array();
        for (let i = 0; i < x.length; i++) {
          const x0 = x[i] ?? 0;
          const h = 1e-5;
          x[i] = x0 + h;
          const up = at();
          x[i] = x0 - h;
          const down = at();
          x[i] = x0;
          const wanted = (up - down) / (2 * h);
          assert.ok(
            Math.abs((slope?.[i] ?? 0) - wanted) <= 1e-6 * Math.max(1, Math.abs(wanted)),
            `d${name}[${i}]: ${slope?.[i] ?? 0} and ${wanted}`,
          );
        }
      });
    });
  }

  it("add up where paths meet, and give rows of tables apart", () => {
    const graph = new Graph();
    const table = graph.parameter("table", "float32", [4, 2]);
    const ids = graph.input("ids", "int32", [3]);
    const rows = f.gather(table, ids);
    const loss = f.sum(f.add(f.mul(rows, rows), rows));
    const [sparse] = gradients(loss, [table], new Set([table]));
    const [dense] = gradients(loss, [table]);
    assert.equal(sparse?.dense, undefined);
    const inputs = {
      table: { dims: [4, 2], data: Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8) },
      ids: { dims: [3], data: Float64Array.of(2, 0, 2) },
    };
    const [whole] = interpret(graph, inputs, dense?.dense ? [dense.dense] : []);
    assert.deepEqual([...(whole?.data ?? [])], [3, 5, 0, 0, 22, 26, 0, 0]);
    const [parts] = interpret(graph, inputs, sparse?.sparse[0] ? [sparse.sparse[0].rows] : []);
    assert.deepEqual([...(parts?.data ?? [])], [11, 13, 3, 5, 11, 13]);
  });

  it("are absent for what is frozen", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", [2, 2]);
    const [low, high] = [graph.parameter("low", "float32", [2, 2]), graph.parameter("high", "float32", [2, 2])];
    const hidden = f.tanh(f.matmul(x, low));
    const loss = f.sum(f.matmul(hidden, high));
    const [gradient] = gradients(loss, [high]);
    const nodes = reachable(gradient?.dense ? [gradient.dense] : []).filter((n) => n.scope.startsWith("d."));
    assert.ok(nodes.every((n) => !n.inputs.some((v) => v?.id === low.id)));
    assert.ok(nodes.length <= 3, `${nodes.map((n) => n.op)}`);
    const [both] = gradients(loss, [low]);
    assert.ok(reachable(both?.dense ? [both.dense] : []).length > nodes.length);
  });

  it("stop where they are told to", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", [2]);
    const [gradient] = gradients(f.sum(f.mul(f.detach(f.exp(x)), x)), [x]);
    const given = { x: { dims: [2], data: Float64Array.of(0, 1) } };
    const [found] = interpret(graph, given, gradient?.dense ? [gradient.dense] : []);
    assert.deepEqual([...(found?.data ?? [])].map((v) => Number(v.toFixed(6))), [1, 2.718282]);
  });

  it("name the op that has none", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", [2]);
    assert.throws(
      () => gradients(f.sum(f.gather(f.reshape(x, [1, 2]), graph.input("i", "int32", [1]), 1)), [x]),
      /No gradient of Gather/,
    );
  });
});
