/**
 * Scores over many classes, cut into stretches, against the same without cuts.
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { scoresOfClasses } from "../../../core/graph/classes.ts";
import * as f from "../../../core/graph/functions.ts";
import { Graph, reachable, type Value } from "../../../core/graph/graph.ts";
import { gradients } from "../../../core/graph/vjp.ts";
import { createRandom } from "../../../core/random.ts";
import { crossEntropy } from "../../../plugins/losses/cross_entropy.ts";
import type { Reference } from "../../oracle/interpreter.ts";
import { runOnnx } from "../../oracle/runtime.ts";

const [ROWS, HIDDEN, CLASSES] = [5, 4, 11];
const dims = { n: ROWS };
const all = { mean: true, best: true };

type Case = Readonly<
  { graph: Graph; logits: Value; own: Value; wrt: readonly Value[]; data: Record<string, Reference> }
>;

/** Heads as they are met with: with a bias, a bound, an adapter beside the weight. */
const heads: Readonly<
  Record<string, (x: Value, weight: Value, v: (name: string, ...shape: number[]) => Value) => Value>
> = {
  plain: (x, weight) => f.gemm(x, weight, undefined, { transB: true }),
  "with a bias": (x, weight, v) => f.gemm(x, weight, v("bias", CLASSES), { transB: true }),
  "softcapped, with a bias added": (x, weight, v) =>
    f.mul(f.tanh(f.div(f.add(f.gemm(x, weight, undefined, { transB: true }), v("bias", 1, CLASSES)), 3)), 3),
  "with an adapter": (x, weight, v) =>
    f.add(
      f.gemm(x, weight, undefined, { transB: true }),
      f.gemm(f.gemm(x, v("a", 2, HIDDEN), undefined, { transB: true }), v("b", CLASSES, 2), undefined, {
        alpha: 0.5,
        transB: true,
      }),
    ),
};

function caseOf(head: keyof typeof heads): Case {
  const graph = new Graph();
  const data: Record<string, Reference> = {};
  const random = createRandom(7);
  const v = (name: string, ...shape: (number | string)[]): Value => {
    const sizes = shape.map((d) => (typeof d === "string" ? ROWS : d));
    const size = sizes.reduce((a, b) => a * b, 1);
    const own = random.fork("data", name);
    data[name] = { dims: sizes, data: Float64Array.from({ length: size }, (_, i) => 4 * own.uniform(i) - 2) };
    return graph.input(name, "float32", shape);
  };
  const x = v("x", "n", HIDDEN);
  const weight = v("weight", CLASSES, HIDDEN);
  data.own = { dims: [ROWS], data: Float64Array.of(0, 10, 3, 4, 8) };
  const logits = heads[head]!(x, weight, v);
  return {
    graph,
    logits,
    own: graph.input("own", "int32", ["n"]),
    wrt: [...graph.inputs.values()].filter((value) => value.dtype === "float32"),
    data,
  };
}

/** Values and gradients of numbers per row. */
async function figures(c: Case, parts: readonly Value[]): Promise<number[][]> {
  parts.forEach((part, i) => c.graph.output(`part${i}`, part));
  // The best class has no gradient.
  const mixed = parts.slice(0, 3).map((part, i) => f.sum(f.mul(part, 0.3 + i)));
  const loss = f.add(f.add(mixed[0]!, mixed[1]!), mixed[2]!);
  gradients(loss, c.wrt).forEach((g, i) => c.graph.output(`gradient${i}`, g.dense!));
  const results = await runOnnx(c.graph, c.data, dims);
  return Object.values(results).map((tensor) => Array.from(tensor.data, Number));
}

describe("scores over many classes", () => {
  for (const head of Object.keys(heads)) {
    for (const stretch of [1, 4, 10, 11]) {
      it(`${head}: stretches of ${stretch} give what the whole gives`, async () => {
        const a = caseOf(head);
        const cut = scoresOfClasses(a.logits, a.own, all, { limit: 0, stretch })!;
        const found = await figures(a, [cut.logSum, cut.own, cut.mean, cut.best]);
        const b = caseOf(head);
        const logp = f.logSoftmax(b.logits);
        const own = f.pick(b.logits, b.own);
        const wanted = await figures(b, [
          f.sub(own, f.pick(logp, b.own)),
          own,
          f.mean(b.logits, 1),
          f.cast(f.argmax(b.logits), "float32"),
        ]);
        assert.equal(found.length, 4 + a.wrt.length);
        wanted.forEach((row, i) =>
          row.forEach((value, k) =>
            assert.ok(Math.abs((found[i]?.[k] ?? NaN) - value) < 2e-5, `${i}.${k}: ${found[i]?.[k]} and ${value}`)
          )
        );
      });
    }
  }

  it("nothing of all classes is made for the rows", () => {
    const c = caseOf("softcapped, with a bias added");
    const cut = scoresOfClasses(c.logits, c.own, all, { limit: 0, stretch: 4 })!;
    const loss = f.sum(f.sub(f.add(cut.logSum, cut.mean), cut.own));
    const nodes = reachable([loss, cut.best, ...gradients(loss, c.wrt).map((g) => g.dense!)]);
    const wide = nodes.flatMap((node) => node.outputs).filter((v) => v.shape[0] === "n" && v.shape.at(-1) === CLASSES);
    assert.deepEqual(wide, []);
    assert.ok(nodes.length > 50);
  });

  it("the cross entropy of a large vocabulary is cut, of a small one is not", () => {
    const rows = (classes: number): boolean => {
      const graph = new Graph();
      const logits = f.gemm(
        graph.input("x", "float32", ["n", 2]),
        graph.input("w", "float32", [classes, 2]),
        undefined,
        {
          transB: true,
        },
      );
      const loss = crossEntropy().sum({ labelSmoothing: 0.1 } as never, logits, graph.input("y", "int32", ["n"]));
      const [dx, dw] = gradients(loss, [graph.inputs.get("x")!, graph.inputs.get("w")!]).map((g) => g.dense!);
      assert.deepEqual([dx?.shape, dw?.shape], [["n", 2], [classes, 2]]);
      return reachable([loss, dx!, dw!]).some((node) => node.outputs[0]?.shape.at(-1) === classes);
    };
    assert.equal(rows(128256), false);
    assert.equal(rows(30522), true);
  });

  it("logits that are not made of products stay whole", () => {
    const graph = new Graph();
    const logits = graph.input("logits", "float32", ["n", 5]);
    assert.equal(scoresOfClasses(logits, graph.input("own", "int32", ["n"]), all, { limit: 0 }), undefined);
    assert.equal(scoresOfClasses(f.softmax(logits), graph.input("own", "int32", ["n"]), all, { limit: 0 }), undefined);
  });
});
