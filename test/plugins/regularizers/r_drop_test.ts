import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buildOn } from "../../graph_builder.ts";
import { Graph, type Value } from "../../../core/graph/graph.ts";
import type { Json } from "../../../core/types.ts";
import { rDrop } from "../../../plugins/regularizers/r_drop.ts";
import { checkGradients, type InputValues, randomInput } from "../../../conformance/differences.ts";
import { interpret } from "../../../conformance/oracle/interpreter.ts";
import { run } from "../../tiny_run.ts";
import { near } from "../../near.ts";

describe("r-drop", () => {
  it("adds the second pass's loss and the divergence both ways, and has their slope", () => {
    const graph = new Graph();
    const values: InputValues = {};
    const dims = { rows: 3 };
    const [x, y] = ["x", "y"].map((name) => randomInput(graph, values, name, ["rows", 4], dims)) as [Value, Value];
    const [l, m] = ["l", "m"].map((name) => randomInput(graph, values, name, [], dims)) as [Value, Value];
    const pass = (logits: Value, loss: Value) => ({
      states: { hidden: logits, hiddenStates: [] },
      outputs: { logits },
      loss,
    });
    const term = rDrop({ alpha: 3 }).term?.(buildOn(graph).build, {
      ...pass(x, l),
      frozen: {},
      again: () => pass(y, m),
    });
    assert.ok(term);
    const logs = (name: string): number[][] =>
      [0, 1, 2].map((row) => {
        const rowGradient = [...(values[name]?.data ?? [])].slice(4 * row, 4 * row + 4);
        const total = Math.log(rowGradient.reduce((s, v) => s + Math.exp(v), 0));
        return rowGradient.map((v) => v - total);
      });
    const kl = (p: number[], q: number[]): number =>
      p.reduce((s, logp, i) => s + Math.exp(logp) * (logp - (q[i] ?? NaN)), 0);
    const [p, q] = [logs("x"), logs("y")];
    const both = p.reduce((s, row, i) => s + (kl(row, q[i] ?? []) + kl(q[i] ?? [], row)) / 2 / 3, 0);
    const [found] = interpret(graph, values, [term], dims);
    near(found?.data[0], (values.m?.data[0] ?? NaN) + 3 * both, 1e-9);
    checkGradients(term, ["x", "y", "m"], values, dims);
  });

  it("without dropout is the same loss again; with dropout masks are drawn anew", async () => {
    const regularizers = [{ use: "r-drop", with: { alpha: 1 } }];
    const training = { maxSteps: 1 };
    const still = (await run({ training, regularizers })).losses[0];
    near(still?.["r-drop"], still?.logits ?? NaN, 1e-6);
    const [plain, drawn] = [await run({ training, dropout: 0.3 }), await run({ training, dropout: 0.3, regularizers })];
    assert.equal(drawn.losses[0]?.logits, plain.losses[0]?.logits, "the first pass is as it was");
    assert.ok(Math.abs((drawn.losses[0]?.["r-drop"] ?? 0) - (drawn.losses[0]?.logits ?? 0)) > 1e-3);
  });

  it("adds up over micro-batches", async () => {
    const regularizers = [{ use: "r-drop", with: { alpha: 2 } }];
    const [whole, parts] = [
      await run({ training: { maxSteps: 2 }, dropout: 0.2, regularizers }),
      await run({
        training: { maxSteps: 2, perDeviceTrainBatchSize: 4, gradientAccumulationSteps: 2 },
        dropout: 0.2,
        regularizers,
      }),
    ];
    whole.losses.forEach((l, i) => near(parts.losses[i]?.["r-drop"], l["r-drop"] ?? NaN, 2e-6));
  });

  it("makes predictions under dropout agree", async () => {
    const apart = async (alpha: number): Promise<number> => {
      const regularizers = (alpha: number): Json => [{ use: "r-drop", with: { alpha } }];
      const training = { maxSteps: 40, learningRate: 0.005 };
      const { bytes } = await run({ regularizers: regularizers(alpha), dropout: 0.3, optimizer: "adamw", training });
      // The same masks with and without weight on the divergence tell the divergence.
      const after = async (weight: number): Promise<number> => {
        const still = { maxSteps: 3, learningRate: 0 };
        const { losses } = await run({
          model: bytes,
          regularizers: regularizers(weight),
          dropout: 0.3,
          training: still,
        });
        return losses.reduce((s, l) => s + (l["r-drop"] ?? NaN), 0);
      };
      return await after(1) - await after(0);
    };
    const [free, consistent] = [await apart(0), await apart(10)];
    assert.ok(free > 0 && consistent < 0.5 * free, `${consistent} and ${free}`);
  });
});
