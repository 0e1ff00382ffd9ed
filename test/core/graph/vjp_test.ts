/**
 * Gradient rules against central differences in float64: every op with symbolic dims, and what holds of whole graphs.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as f from "../../../core/graph/ops/functions.ts";
import { Graph, reachable, type Shape, type Value } from "../../../core/graph/graph.ts";
import type { Op } from "../../../core/graph/ops/ops.ts";
import { backward, gradients, isDifferentiable } from "../../../core/graph/autodiff.ts";
import {
  checkGradients,
  differences,
  fixedInput,
  type InputValues,
  mixed,
  near,
  randomInput,
  wholeGradient,
} from "../../../conformance/differences.ts";
import { interpret, type Reference } from "../../../conformance/oracle/interpreter.ts";
import { type Call, callDims as dims, calls, graphOf } from "./calls.ts";

/** Ops whose derivative is zero wherever there is one. */
const flat: ReadonlySet<string> = new Set(["Sign", "Not", "Equal", "ArgMax", "Less", "Greater", "And", "Or"]);

/** A graph with random inputs. */
function start(
  shapes: Readonly<Record<string, Shape>>,
): { graph: Graph; given: InputValues; v: (name: string) => Value } {
  const graph = new Graph();
  const values: InputValues = {};
  for (const [name, shape] of Object.entries(shapes)) randomInput(graph, values, name, shape, dims);
  return { graph, given: values, v: (name) => graph.inputs.get(name) as Value };
}
const dense = (loss: Value, x: Value, given: InputValues): number[] => {
  const [gradient] = gradients(loss, [x]);
  return [...interpret(loss.graph, given, gradient?.dense ? [gradient.dense] : [], dims)[0]?.data ?? []];
};

describe("the gradient of every op", () => {
  for (const [op, list] of Object.entries(calls) as [Op, readonly Call[]][]) {
    it(`${op} is its differences`, () => {
      assert.equal(isDifferentiable(op), !flat.has(op), "is absent only where the derivative is zero");
      for (const [number, call] of list.entries()) {
        const { graph, outputs, data } = graphOf(op, call, number + 50);
        const loss = mixed(outputs.slice(0, 1), data, dims);
        const names = Object.keys(data).filter((name, i) =>
          name.startsWith("x") && call.inputs[i]?.dtype === "float32" && !call.held?.includes(i)
        );
        if (call.refuses) {
          const wrt = names.map((name) => graph.inputs.get(name) as Value);
          assert.throws(() => gradients(loss, wrt), { code: "NO_GRADIENT", message: call.refuses }, `call ${number}`);
        } else checkGradients(loss, names, data, dims);
      }
    });
  }
  it("of the larger or the largest goes in equal parts to equals", () => {
    const { graph, given: values } = start({});
    const a = fixedInput(graph, values, "a", "float32", [4], dims, [1, 2, 2, 0]);
    const b = fixedInput(graph, values, "b", "float32", [4], dims, [1, 1, 3, 0]);
    assert.deepEqual(dense(f.sum(f.maximum(a, b)), a, values), [0.5, 1, 0, 0.5]);
    assert.deepEqual(dense(f.sum(f.minimum(a, b)), a, values), [0.5, 0, 1, 0.5]);
    assert.deepEqual(dense(f.sum(f.max(a)), a, values), [0, 0.5, 0.5, 0]);
  });
  it("of relu and |x| is 0 at 0", () => {
    const { graph, given: values } = start({});
    const x = fixedInput(graph, values, "x", "float32", [3], dims, [-1, 0, 1]);
    assert.deepEqual(dense(f.sum(f.relu(x)), x, values), [0, 0, 1]);
    assert.deepEqual(dense(f.sum(f.abs(x)), x, values), [-1, 0, 1]);
  });
  it("is refused for a trained exponent and for a norm's statistics", () => {
    const { graph, v } = start({ x: ["n", 3], e: ["n", 3], w: [3] });
    assert.throws(() => gradients(f.sum(f.pow(v("x"), v("e"))), [v("e")]), /No gradient of Pow.*exponent/);
    const statistics = graph.append("SimplifiedLayerNormalization", [v("x"), v("w")], { epsilon: 1e-6 })[1] as Value;
    assert.throws(() => gradients(f.sum(statistics), [v("x")]), /No gradient of SimplifiedLayerNormalization/);
  });
});

describe("gradients of composed functions", () => {
  it("a transformer layer", () => {
    const shapes = {
      x: ["batch*seq", 4],
      q: [4, 4],
      k: [4, 4],
      v: [4, 4],
      up: [6, 4],
      bias: [6],
      down: [4, 6],
      g: [4],
    };
    const { given: values, v } = start(shapes);
    const heads = (name: string): Value =>
      f.transpose(f.reshape(f.gemm(v("x"), v(name)), ["batch", "seq", 2, 2]), [0, 2, 1, 3]);
    const scores = f.softmax(f.product(heads("q"), heads("k"), { alpha: Math.SQRT1_2, transB: true }));
    const context = f.reshape(f.transpose(f.matmul(scores, heads("v")), [0, 2, 1, 3]), ["batch*seq", 4]);
    const middle = f.layerNorm(f.add(context, v("x")), v("g"), v("g"), 1e-5);
    const inner = f.gelu(f.gemm(middle, v("up"), v("bias"), { transB: true }));
    const y = f.rmsNorm(f.add(f.gemm(inner, v("down"), undefined, { transB: true }), middle), v("g"), 1e-6);
    checkGradients(mixed([y], values, dims), Object.keys(shapes), values, dims);
  });
  it("a cross entropy with ignored targets", () => {
    const { graph, given: values, v } = start({ x: ["n", 3] });
    const target = fixedInput(graph, values, "target", "int32", ["n"], dims, [2, -100, 0, 1]);
    const kept = f.cast(f.not(f.equal(target, -100)), "float32");
    const loss = f.sum(f.mul(f.neg(f.pick(f.logSoftmax(v("x")), f.maximum(target, 0))), kept));
    checkGradients(loss, ["x"], values, dims);
    assert.deepEqual(dense(loss, v("x"), values).slice(3, 6), [0, 0, 0], "an ignored row has none");
  });
  it("one value used in many ways: subexpressions are shared, paths are added up", () => {
    const { given, v } = start({ x: ["batch", "seq"], y: ["seq"] });
    const [x, y] = [v("x"), v("y")];
    const shared = f.tanh(f.mul(x, y));
    const loss = f.sum(f.add(f.mul(shared, shared), f.add(f.mul(x, shared), f.sub(f.exp(shared), f.mul(y, y)))));
    checkGradients(loss, ["x", "y"], given, dims);
    assert.equal(reachable([loss]).filter((node) => node.op === "Tanh").length, 1);
  });
  it("a value used twice by one op", () => {
    const { given: values, v } = start({ x: [3, 3] });
    const x = v("x");
    checkGradients(f.sum(f.matmul(x, f.concat([f.slice(x, 0, 0, 1), f.slice(x, 0, 1, null)], 0))), ["x"], values, dims);
    checkGradients(f.sum(f.gemm(x, x, x)), ["x"], values, dims);
  });
  it("a loss that is one of the values, and values that do not lead to it", () => {
    const { given, v } = start({ x: [], y: [2] });
    assert.deepEqual(dense(v("x"), v("x"), given), [1]);
    const [none] = gradients(v("x"), [v("y")]);
    assert.deepEqual(none, { dense: undefined, sparse: [] });
  });
  it("several outputs with a gradient each, down to where it is asked for", () => {
    const { graph, given: values, v } = start({ x: ["n", 2], w: [2, 2], dy: ["n", 2], dz: ["n"] });
    const hidden = f.tanh(f.matmul(v("x"), v("w")));
    const [y, z] = [f.exp(hidden), f.sum(hidden, 1)];
    const both = f.add(f.sum(f.mul(y, v("dy"))), f.sum(f.mul(z, v("dz"))));
    const found = backward([y, z], [v("dy"), v("dz")], [v("x"), v("w")]);
    for (const [i, name] of ["x", "w"].entries()) {
      const got = wholeGradient(found[i], graph, values[name] as Reference, values, dims);
      near(got, differences(both, name, values, dims), name);
    }
    // A wanted value is where gradients end: x gets nothing through hidden.
    const [atHidden, atX] = backward([y, z], [v("dy"), v("dz")], [hidden, v("x")]);
    assert.ok(atHidden?.dense);
    assert.equal(atX?.dense, undefined);
  });
});

describe("gradients of tables", () => {
  it("come as rows, as a whole, or both where the table is also multiplied with", () => {
    const { graph, given: values, v } = start({ table: [5, 2], other: [3, 2] });
    const ids = fixedInput(graph, values, "ids", "int32", ["batch", "seq"], dims, [4, 0, 4, 1, 1, 4]);
    const more = fixedInput(graph, values, "more", "int32", ["n"], dims, [2, 2, 0, 1]);
    const embedded = f.reshape(f.gather(v("table"), ids), ["batch*seq", 2]);
    const tied = f.product(f.tanh(embedded), v("table"), { transB: true }); // [batch*seq, 5]
    const loss = mixed([tied, f.square(f.gather(v("table"), more)), f.gather(v("other"), more)], values, dims);
    checkGradients(loss, ["table", "other"], values, dims);
    const sparse = new Set([v("table"), v("other")]);
    checkGradients(loss, ["table", "other"], values, dims, sparse);
    const [table, other] = gradients(loss, [v("table"), v("other")], sparse);
    assert.ok(table?.dense);
    assert.deepEqual(table.sparse.map((s) => s.rows.shape).sort(), [["batch*seq", 2], ["n", 2]]);
    assert.equal(other?.dense, undefined);
    assert.equal(other?.sparse.length, 1);
  });
  it("that are gathered from along another axis are refused, not taken for rows", () => {
    const { graph, given, v } = start({ table: [2, 3] });
    const ids = fixedInput(graph, given, "ids", "int32", [2], dims, [0, 1]);
    const loss = f.sum(f.gather(v("table"), ids, 1));
    assert.throws(() => gradients(loss, [v("table")], new Set([v("table")])), /only axis 0/);
  });
});

describe("regions", () => {
  it("take the rule given for them, and do not look inside", () => {
    const { graph, given: values, v } = start({ x: ["n"], y: ["n"] });
    const inside = f.apply("Gather", [f.reshape(v("x"), [1, "n"]), graph.input("i", "int32", [1])], { axis: 1 });
    const [out] = graph.withVjp([v("x")], [f.reshape(inside, [1])], ([dy], needs) => {
      assert.deepEqual(needs, [true]);
      return [dy && f.mul(f.expand(dy, ["n"]), v("y"))];
    });
    const loss = f.sum(f.mul(out as Value, 3));
    values.i = { dims: [1], data: Float64Array.of(0) };
    assert.deepEqual(dense(loss, v("x"), values), [...(values.y as Reference).data].map((y) => 3 * y));
  });
  it("with several outputs ask their rule once, with all gradients", () => {
    const { graph, given: values, v } = start({ x: ["n"] });
    let asked = 0;
    const [a, b, c] = graph.withVjp([v("x")], [f.exp(v("x")), f.square(v("x")), f.neg(v("x"))], ([da, db, dc]) => {
      asked++;
      assert.equal(dc, undefined);
      return [f.add(f.mul(da as Value, f.exp(v("x"))), f.mul(f.mul(db as Value, v("x")), 2))];
    });
    assert.ok(a && b && c);
    checkGradients(mixed([a, f.mul(a, b)], values, dims), ["x"], values, dims);
    assert.equal(asked, 1);
  });
  it("leave other uses of the same nodes alone", () => {
    const { graph, given: values, v } = start({ x: ["n"] });
    const y = f.exp(v("x"));
    const [reversed] = graph.withVjp([v("x")], [y], ([dy]) => [dy && f.neg(f.mul(dy, y))]);
    const both = f.add(f.sum(f.mul(y, 3)), f.sum(reversed as Value));
    const exp = interpret(graph, values, [y], dims)[0]?.data ?? [];
    near(
      { dims: [4], data: dense(both, v("x"), values) },
      { dims: [4], data: Float64Array.from(exp, (e) => 2 * e) },
      "",
    );
  });
  it("that detach give no gradient, and none is built below them", () => {
    const { given: values, v } = start({ x: ["n"] });
    const below = f.exp(v("x"));
    const loss = f.sum(f.mul(f.detach(below), v("x")));
    const exp = interpret(loss.graph, values, [below], dims)[0]?.data ?? [];
    assert.deepEqual(dense(loss, v("x"), values), [...exp]);
    assert.equal(gradients(f.sum(f.detach(below)), [v("x")])[0]?.dense, undefined);
  });
  it("do not count where a gradient is not wanted", () => {
    const { graph, v } = start({ x: ["n"], w: ["n"] });
    const [out] = graph.withVjp([v("x")], [f.exp(v("x"))], () => assert.fail("nobody wants dx"));
    assert.ok(gradients(f.sum(f.mul(out as Value, v("w"))), [v("w")])[0]?.dense);
  });
});

describe("what is frozen is absent", () => {
  /** `depth` layers of tanh(x W); gives how many nodes the gradient of the upper `trainRecipe` weights adds. */
  const added = (depth: number, trained: number): number => {
    const graph = new Graph();
    let x = graph.input("x", "float32", ["n", 2]);
    const weights: Value[] = [];
    for (let i = 0; i < depth; i++) {
      const w = graph.parameter(`w${i}`, "float32", [2, 2]);
      weights.push(w);
      x = graph.within(`layer.${i}`, () => f.tanh(f.matmul(x, w)));
    }
    const loss = f.sum(x);
    const before = reachable([loss]).length;
    const wanted = weights.slice(depth - trained);
    const dense = gradients(loss, wanted).flatMap((g) => g.dense ?? []);
    assert.equal(dense.length, trained);
    const nodes = reachable([loss, ...dense]);
    for (let i = 0; i < depth - trained; i++) {
      assert.ok(!nodes.some((node) => node.scope === `d.layer.${i}`), `nothing is differentiated in layer ${i}`);
    }
    return nodes.length - before;
  };
  it("and costs nothing: gradients of the last layers are as large in a deeper model", () => {
    assert.equal(added(8, 2), added(2, 2));
    assert.equal(added(8, 1), added(1, 1));
    assert.ok(added(8, 8) > added(8, 2));
  });
  it("also within an op: only wanted factors of a product have one", () => {
    const { v } = start({ x: ["n", 2], w: [2, 2], b: [2] });
    const [dw] = gradients(f.sum(f.tanh(f.gemm(v("x"), v("w"), v("b")))), [v("b")]);
    const products = reachable(dw?.dense ? [dw.dense] : []).filter((node) => node.op === "Gemm");
    assert.equal(products.length, 1, "the forward product alone");
  });
});
