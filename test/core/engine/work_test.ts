import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { measurePeak } from "../../../core/engine/peak.ts";
import { buildProgram } from "../../../core/engine/program.ts";
import { trainsRule } from "../../../core/engine/builder/parameters.ts";
import { inspectBackbone } from "../../../core/engine/inspect.ts";
import { usefulWork } from "../../../core/engine/work.ts";
import * as f from "../../../core/graph/ops/functions.ts";
import { Graph } from "../../../core/graph/graph.ts";
import { gradients } from "../../../core/graph/autodiff.ts";
import { i32 } from "../../../core/base/tensor.ts";
import type { Batch } from "../../../core/types.ts";
import { sequence } from "../../../plugins/heads/sequence.ts";
import { crossEntropy } from "../../../plugins/losses/cross_entropy.ts";
import { bert } from "../../../plugins/architectures/bert.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyConfig } from "../../tiny.ts";

const batchOf = (batch: number, seq: number, tokens: number): Batch => ({
  inputs: { first: i32([batch], Array.from({ length: batch }, (_, i) => i * seq)) },
  batch,
  seq,
  tokens,
  samples: batch,
  sequences: batch,
  rows: Int32Array.from({ length: batch }, (_, i) => i),
  tokenOrigins: new Int32Array(2 * batch * seq),
});

describe("useful work", () => {
  it("is the products forward and backward, of the places that are no padding", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["batch*seq", 8]);
    const [a, b] = [graph.parameter("a", "float32", [8, 16]), graph.parameter("b", "float32", [16, 4])];
    const loss = f.sum(f.matmul(f.matmul(x, a), b));
    graph.output("loss.x", loss);
    gradients(loss, [a, b], new Set()).forEach(({ dense }, i) => dense && graph.output(`d.${i}`, dense));
    // x a and (x a) b; backward of b, of x a, of a: nothing asks for that of x.
    const perPlace = 2 * 8 * 16 + 3 * 16 * 4;
    assert.equal(usefulWork(graph)(batchOf(3, 5, 15)), 15 * perPlace);
    assert.equal(usefulWork(graph)(batchOf(3, 5, 6)), 6 * perPlace);
  });

  it("counts nothing twice that is made twice to save memory", () => {
    const backbone = inspectBackbone(bert().read(tinyConfig));
    const [plain, checkpointed] = [false, true].map((checkpointing) => {
      const { graph } = buildProgram({
        mode: "train",
        backbone: backbone,
        heads: [sequence({ numLabels: 2 })],
        losses: [{ loss: crossEntropy(), output: "logits", target: "labels", weight: 1, name: "logits" }],
        attached: [],
        labelSmoothing: 0,
        checkpointing,
        isTrainable: trainsRule([]),
        targets: { labels: i32([1], [0]) },
      });
      return usefulWork(graph)(batchOf(2, 7, 14));
    });
    assert.ok((plain ?? 0) > 0);
    assert.equal(checkpointed, plain);
  });
});

describe("the peak", () => {
  it("is measured with the run's own runtime", async () => {
    const host = await hostHere(1);
    const [a = 0, b = 0] = [await measurePeak(host), await measurePeak(host)];
    // No machine does less than a tenth of a billion or more than a thousand billion in a second on one thread.
    for (const peak of [a, b]) assert.ok(peak > 1e8 && peak < 1e12, `${peak}`);
    const { lib: _, ...without } = host;
    assert.equal(await measurePeak(without), undefined);
  });
});
