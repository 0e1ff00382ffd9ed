import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buildProgram, type Program } from "../../../core/engine/program.ts";
import { trainsRule } from "../../../core/engine/builder/parameters.ts";
import { inspectBackbone } from "../../../core/engine/inspect.ts";
import { addDims, evaluateDim, mulDims, renameDim } from "../../../core/graph/ops/dims.ts";
import { reachable } from "../../../core/graph/graph.ts";
import { print } from "../../../core/graph/print.ts";
import { choosePlaces } from "../../../core/graph/row_selection.ts";
import { i32 } from "../../../core/base/tensor.ts";
import type { AttachedAdapter } from "../../../core/types.ts";
import { freeze } from "../../../plugins/adapters/freeze.ts";
import { lora } from "../../../plugins/adapters/lora.ts";
import { sequence } from "../../../plugins/heads/sequence.ts";
import { crossEntropy } from "../../../plugins/losses/cross_entropy.ts";
import { bert } from "../../../plugins/architectures/bert.ts";
import { assertGolden } from "../../golden.ts";
import { tinyConfig } from "../../tiny.ts";

const head = sequence({ numLabels: 2 });
const backbone = inspectBackbone(bert().read({ ...tinyConfig, hidden_dropout_prob: 0.1 }));
const place = { modules: head.modulesToSave, task: "SEQ_CLS" };

function program(attached: readonly AttachedAdapter[], checkpointing = false): Program {
  return buildProgram({
    mode: "train",
    backbone: backbone,
    heads: [head],
    losses: [{ loss: crossEntropy(), output: "logits", target: "labels", weight: 1, name: "logits" }],
    attached,
    labelSmoothing: 0,
    checkpointing,
    isTrainable: trainsRule(attached),
    targets: { labels: i32([1], [0]) },
  });
}
const nodesOf = ({ graph }: Program) => reachable([...graph.outputs.values()]);

describe("printed training graphs", () => {
  it("LoRA on a tiny BERT", () =>
    assertGolden("bert_lora.txt", print(program([lora({ r: 2 }).attach(backbone, place)]).graph)));
  it("the head alone", () => assertGolden("bert_head.txt", print(program([freeze().attach(backbone, place)]).graph)));
});

describe("a training graph", () => {
  it("computes only the rows that the head reads in its last layer", () => {
    const outer = nodesOf(program([])).filter((n) => n.op === "Gemm" && n.scope.startsWith("bert.encoder.layer.1."));
    const rows = (scope: string) =>
      outer.filter((n) => n.scope === `bert.encoder.layer.1.${scope}`).map((n) => n.outputs[0]?.shape[0]);
    assert.deepEqual(rows("attention.self.key"), ["batch*seq"]);
    assert.deepEqual(rows("attention.self.query"), ["batch*first.picks"]);
    assert.deepEqual(rows("intermediate.dense"), ["batch*first.picks"]);
    assert.deepEqual(
      nodesOf(program([])).filter((n) => n.scope === "bert.encoder.layer.0.intermediate.dense").map((n) =>
        n.outputs[0]?.shape[0]
      ),
      ["batch*seq"],
    );
  });
  it("has nothing backwards below the lowest layer that trains", () => {
    const backward = nodesOf(program([freeze({ trainLastLayers: 1 }).attach(backbone, place)])).filter((n) =>
      n.scope.startsWith("d.")
    );
    assert.ok(backward.some((n) => n.scope.includes("layer.1")));
    assert.deepEqual(backward.filter((n) => n.scope.includes("layer.0") || n.scope.includes("embeddings")), []);
  });
  it("recomputes layers behind a dependency on the gradient that comes in", () => {
    const [plain, checkpointed] = [program([]), program([], true)].map((p) =>
      nodesOf(p).filter((n) => n.op === "Softmax").length
    );
    assert.equal(plain, 2);
    assert.ok((checkpointed ?? 0) > 2);
    assert.ok(nodesOf(program([], true)).some((n) => n.op === "ReduceMax"));
  });
});

describe("dims", () => {
  it("multiply, add and rename as polynomials", () => {
    assert.equal(mulDims("seq", "batch"), "batch*seq");
    assert.equal(mulDims(mulDims(2, "seq"), 3), "6*seq");
    assert.equal(addDims(addDims("seq", 8), "seq"), "2*seq+8");
    assert.equal(addDims("seq", -2), "seq+-2");
    assert.equal(evaluateDim("2*batch*seq+8", { batch: 3, seq: 4 }), 32);
    assert.equal(renameDim("batch*seq", "seq", "picks"), "batch*picks");
    assert.throws(() => evaluateDim("batch", {}), /"batch" has no value/);
  });
});

it("chosen places come back in their order", () => {
  const { picks, unpick, perRow } = choosePlaces([0, 9, 3, 8], 2, 8);
  assert.equal(perRow, 2);
  assert.deepEqual([...unpick].map((i) => picks[i]), [0, 9, 3, 8]);
});
