/** Scores over many classes, made in blocks of rows, against the same made whole. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chunkedLogits } from "../../../core/graph/chunked_logits.ts";
import * as f from "../../../core/graph/ops/functions.ts";
import { Graph, type Node, reachable, type Value } from "../../../core/graph/graph.ts";
import { gradients } from "../../../core/graph/autodiff.ts";
import { createRandom } from "../../../core/math/random.ts";
import { crossEntropy } from "../../../plugins/losses/cross_entropy.ts";
import type { Reference } from "../../../conformance/oracle/interpreter.ts";
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
  const loss = f.add(f.sum(f.mul(f.square(parts[0]!), 0.3)), f.sum(f.mul(parts[1]!, 1.3)));
  gradients(loss, c.wrt).forEach((g, i) => c.graph.output(`gradient${i}`, g.dense!));
  const results = await runOnnx(c.graph, c.data, dims);
  return Object.values(results).map((tensor) => Array.from(tensor.data, Number));
}

describe("scores over many classes", () => {
  for (const head of Object.keys(heads)) {
    for (const [blocks, leastRows] of [[1, 1], [2, 1], [5, 1], [7, 1], [4, 2], [3, 128]] as const) {
      it(`${head}: ${blocks} blocks of at least ${leastRows} rows give what the whole gives`, async () => {
        const a = caseOf(head);
        const cut = chunkedLogits(a.logits, a.own, all, { limit: 0, blocks, leastRows })!;
        const cutFigures = await figures(a, [cut.label, cut.mean!, cut.best!]);
        const b = caseOf(head);
        const logp = f.logSoftmax(b.logits);
        const wanted = await figures(b, [f.pick(logp, b.own), f.mean(logp, 1), f.cast(f.argmax(b.logits), "float32")]);
        assert.equal(cutFigures.length, 3 + a.wrt.length);
        wanted.forEach((row, i) =>
          row.forEach((value, k) =>
            assert.ok(
              Math.abs((cutFigures[i]?.[k] ?? NaN) - value) < 2e-5,
              `${i}.${k}: ${cutFigures[i]?.[k]} and ${value}`,
            )
          )
        );
      });
    }
  }

  it("nothing of all classes is made for all rows, and no product of them twice", () => {
    const c = caseOf("softcapped, with a bias added");
    const cut = chunkedLogits(c.logits, c.own, all, { limit: 0, blocks: 2, leastRows: 1 })!;
    const loss = f.sum(f.sub(cut.mean!, cut.label));
    const nodes = reachable([loss, cut.best!, ...gradients(loss, c.wrt).map((g) => g.dense!)]);
    const wide = nodes.flatMap((node) => node.outputs).filter((v) => v.shape[0] === "n" && v.shape.at(-1) === CLASSES);
    assert.deepEqual(wide, []);
    // Of each block the logits, and the gradients of its rows and of the weight.
    assert.equal(nodes.filter((node) => node.op === "Gemm").length, 2 * 3);
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
      const of = (node: Node): Value => node.outputs[0] as Value;
      return reachable([loss, dx!, dw!]).some((node) => of(node).shape.at(-1) === classes && of(node).shape[0] === "n");
    };
    assert.equal(rows(30522), false);
    assert.equal(rows(2000), true);
  });

  it("logits that are not made of products stay whole", () => {
    const graph = new Graph();
    const logits = graph.input("logits", "float32", ["n", 5]);
    assert.equal(chunkedLogits(logits, graph.input("own", "int32", ["n"]), all, { limit: 0 }), undefined);
    assert.equal(chunkedLogits(f.softmax(logits), graph.input("own", "int32", ["n"]), all, { limit: 0 }), undefined);
  });
});
