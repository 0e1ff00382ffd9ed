/** Checks of losses. */
import { assert } from "./assert.ts";
import { type Check, check } from "./check.ts";
import { createGraphBuilder } from "../core/engine/builder/builder.ts";
import { gradients } from "../core/graph/autodiff.ts";
import { Graph } from "../core/graph/graph.ts";
import type { GraphBuilder, Loss, Tensor } from "../kit.ts";
import { checkGradients, type InputValues, randomInput } from "./differences.ts";
import { interpret } from "./oracle/interpreter.ts";

/** The dims of an output, and a target. The target's first axis has four or more rows. */
export type LossExample = Readonly<{ output: readonly number[]; target: Tensor }>;

/** Returns an output and a target that suit what a loss compares. */
export function lossExample({ compares }: Loss): LossExample {
  const target: Tensor = compares === "classes" ? { dtype: "int32", dims: [4], data: Int32Array.of(0, 2, 1, 1) } : {
    dtype: "float32",
    dims: compares === "rows" ? [4] : [4, 3],
    data: new Float32Array(compares === "rows" ? 4 : 12),
  };
  if (compares !== "classes") target.data.forEach((_, i) => (target.data[i] = ((5 * i) % 7) / 7));
  return { output: [4, 3], target };
}

/** Creates the graph builder for a loss. */
function build(graph: Graph): GraphBuilder {
  return createGraphBuilder({
    graph,
    mode: "train",
    attached: [],
    initializerRange: 0.02,
    labelSmoothing: 0.1,
    checkpointing: false,
    targets: {},
    isTrainable: () => true,
  }).build;
}

/** Returns the checks of a loss. */
export function lossChecks(loss: Loss, { output, target }: LossExample): readonly Check[] {
  const rows = target.dims[0] ?? 0;
  const part = (from: number, to: number): Tensor => {
    const size = target.data.length / rows;
    return {
      ...target,
      dims: [to - from, ...target.dims.slice(1)],
      data: target.data.slice(from * size, to * size),
    } as Tensor;
  };
  // The loss's sum over rows `from` to `to` of the same random output, with weights of these rows.
  const summed = (from: number, to: number, check = false, weights?: readonly number[]): number => {
    const graph = new Graph();
    const values: InputValues = {};
    randomInput(graph, values, "whole", output, {});
    const { dims, data } = values.whole ?? { dims: [], data: new Float64Array() };
    const size = data.length / rows;
    values.output = { dims: [to - from, ...dims.slice(1)], data: data.slice(from * size, to * size) };
    const piece = part(from, to);
    values.target = { dims: piece.dims, data: Float64Array.from(piece.data, Number) };
    const x = graph.input("output", "float32", values.output.dims);
    if (weights) values.weight = { dims: [to - from], data: Float64Array.from(weights) };
    const weight = weights && graph.input("weight", "float32", [to - from]);
    const value = loss.sum(build(graph), x, graph.input("target", piece.dtype, piece.dims), weight);
    if (check) checkGradients(value, ["output"], values, {});
    const [sum] = interpret(graph, values, [value], {});
    assert.equal(sum?.data.length, 1, "a loss is one number");
    return sum?.data[0] ?? NaN;
  };
  return [
    check("has the slope of its value", () => {
      summed(0, rows, true);
    }),
    check("adds up over rows, and so does its count", () => {
      const [all, a, b] = [summed(0, rows), summed(0, 2), summed(2, rows)];
      assert.ok(Number.isFinite(all) && all !== 0);
      assert.ok(Math.abs(all - a - b) <= 1e-9 * Math.max(1, Math.abs(all)), `${all} and ${a} + ${b}`);
      const counts = [loss.count(part(0, rows)), loss.count(part(0, 2)), loss.count(part(2, rows))] as const;
      assert.ok(counts[0] > 0 && Math.abs(counts[0] - counts[1] - counts[2]) < 1e-9, `${counts}`);
    }),
    check("counts a row as often as its weight says, where it reads weights", () => {
      if (!loss.weighted) return "it is not `weighted`";
      const weights = Array.from({ length: rows }, (_, i) => i % 3);
      const weight: Tensor = { dtype: "float32", dims: [rows], data: Float32Array.from(weights) };
      const repeated = weights.reduce((n, w, i) => n + w * summed(i, i + 1), 0);
      const sum = summed(0, rows, true, weights);
      assert.ok(Math.abs(sum - repeated) <= 1e-9 * Math.max(1, Math.abs(repeated)), `${sum} and ${repeated}`);
      const ones = { ...weight, data: new Float32Array(rows).fill(1) };
      assert.near([loss.count(target, ones)], [loss.count(target)], 1e-9);
      if (loss.count(part(0, 1)) === loss.count(part(0, 2))) return; // Not counted by rows.
      const count = weights.reduce((n, w, i) => n + w * loss.count(part(i, i + 1)), 0);
      assert.near([loss.count(target, weight)], [count], 1e-6);
    }),
    ...edgeChecks(loss, { output, target }),
    check("says what its mean is over", () => assert.ok(["step", "batch"].includes(loss.over))),
  ];
}

/** Returns the checks with ignored labels, with right outputs, and with outputs far off. */
function edgeChecks(loss: Loss, { output, target }: LossExample): readonly Check[] {
  const rows = target.dims[0] ?? 0;
  // The loss and its gradient for some output.
  const computed = (output: readonly number[], data: readonly number[], wanted: readonly number[]): number[] => {
    const graph = new Graph();
    const x = graph.input("output", "float32", output);
    const value = loss.sum(build(graph), x, graph.input("target", target.dtype, target.dims), undefined);
    const [slope] = gradients(value, [x]);
    const values = {
      output: { dims: output, data: Float64Array.from(data) },
      target: { dims: target.dims, data: Float64Array.from(wanted) },
    };
    return interpret(graph, values, [value, ...slope?.dense ? [slope.dense] : []], {}).flatMap(({ data }) => [...data]);
  };
  const labels = Array.from(target.data, Number);
  return [
    check("a row whose label is not to be learned counts for nothing", () => {
      if (loss.compares !== "classes") return "its targets are no classes";
      const { ignoreIndex = -100 } = loss.options as { ignoreIndex?: number };
      const width = output.slice(1).reduce((a, b) => a * b, 1);
      const data = Array.from({ length: rows * width }, (_, i) => ((7 * i) % 11) / 11);
      const without = labels.map((label, i) => (i === 1 ? ignoreIndex : label));
      const [all = NaN, ...slopes] = computed(output, data, without);
      const others = data.map((x, i) => (Math.floor(i / width) === 1 ? 3 - x : x));
      assert.ok(Number.isFinite(all), `the loss is ${all} where a row has label ${ignoreIndex}`);
      const [changed = NaN] = computed(output, others, without);
      assert.ok(
        Math.abs(all - changed) <= 1e-9 * Math.max(1, Math.abs(all)),
        `${all}, and ${changed} with another output in a row of label ${ignoreIndex}`,
      );
      assert.deepEqual(
        slopes.slice(width, 2 * width).filter((x) => Math.abs(x) > 1e-12),
        [],
        `slopes in a row of label ${ignoreIndex}`,
      );
      const counts = [{ ...target, data: Int32Array.from(without) } as Tensor, target].map((labels) =>
        loss.count(labels)
      );
      assert.ok((counts[0] ?? NaN) < (counts[1] ?? NaN), `it counts ${counts[0]} of ${counts[1]}`);
    }),
    check("it and its slope are finite where outputs are right, and where they are far off", () => {
      const cases: Record<string, number[]> = {};
      if (loss.compares === "elements") cases["outputs as their targets are"] = labels;
      if (loss.compares === "classes") {
        const logits = (right: number, wrong: number): number[] =>
          labels.flatMap((label) =>
            Array.from({ length: output.at(-1) ?? 0 }, (_, k) => (k === label ? right : wrong))
          );
        Object.assign(cases, {
          "the right class at 1000, others at -1000": logits(1000, -1000),
          "the right class at -1000, others at 1000": logits(-1000, 1000),
        });
      }
      if (Object.keys(cases).length === 0) return "it does not say what it `compares`";
      for (const [what, data] of Object.entries(cases)) {
        if (data.length !== output.reduce((a, b) => a * b, 1)) return "its targets have another shape";
        const [value = NaN, ...slopes] = computed(output, data, labels);
        assert.ok(Number.isFinite(value), `${what}: the loss is ${value}`);
        assert.ok(slopes.every(Number.isFinite), `${what}: a slope is ${slopes.find((x) => !Number.isFinite(x))}`);
      }
    }),
  ];
}
