import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { add, mul, reverseGradient, square, sum } from "../../../core/graph/ops/functions.ts";
import { Graph, type Value } from "../../../core/graph/graph.ts";
import { gradients } from "../../../core/graph/autodiff.ts";
import type { Json, Row } from "../../../core/types.ts";
import { createRandom } from "../../../core/math/random.ts";
import { differences, type InputValues, randomInput, wholeGradient } from "../../../conformance/differences.ts";
import { interpret, type Reference } from "../../../conformance/oracle/interpreter.ts";
import { adversarialDebiasing } from "../../../plugins/regularizers/adversarial_debiasing.ts";
import { buildOn } from "../../graph_builder.ts";
import { tinyRows } from "../../tiny.ts";
import { type Ran, run } from "../../tiny_run.ts";
import { near } from "../../near.ts";

describe("adversarial debiasing", () => {
  it("a reversed gradient is minus its factor times the plain one", () => {
    const graph = new Graph();
    const values: InputValues = {};
    const x = randomInput(graph, values, "x", [3], {});
    const loss = add(sum(square(reverseGradient(x, 0.5))), sum(mul(x, 2)));
    const [g] = gradients(loss, [x]);
    const [found] = interpret(graph, values, [g?.dense as Value], {});
    [0, 1, 2].forEach((i) => near(found?.data[i], -0.5 * 2 * (values.x?.data[i] ?? NaN) + 2, 1e-9));
  });

  it("its adversary learns by the term's own gradient, the model against it times λ: by differences", () => {
    const [graph, values, lambda] = [new Graph(), {} as InputValues, 0.3];
    const dims = { places: 7, sequences: 4 };
    const { build } = buildOn(graph);
    const hidden = randomInput(graph, values, "hidden", ["places", 4], dims);
    const { term } = adversarialDebiasing({ column: "by", labels: ["a", "b", "c"], lambda });
    const loss = term?.(build, { states: { hidden } } as never) as Value;
    const drawn = createRandom(7);
    const put = (name: string, dims: readonly number[], data: readonly number[]): void => {
      values[name] = { dims, data: Float64Array.from(data) };
    };
    // One row does not say.
    put("adversary.by", [4], [2, -100, 0, 1]);
    put("first", [4], [0, 2, 3, 5]);
    put("weight", [3, 4], Array.from({ length: 12 }, (_, i) => drawn.normal(i)));
    put("bias", [3], Array.from({ length: 3 }, (_, i) => drawn.normal(20 + i)));
    const inputs = ["hidden", "weight", "bias"].map((name) => graph.inputs.get(name) as Value);
    const own = gradients(loss, inputs).map((gradient, i) =>
      wholeGradient(gradient, graph, values[["hidden", "weight", "bias"][i] ?? ""] as Reference, values, dims)
    );
    for (const [i, factor] of [[0, -lambda], [1, 1], [2, 1]] as const) {
      const slopes = differences(loss, ["hidden", "weight", "bias"][i] ?? "", values, dims);
      assert.ok(slopes.data.some((x) => Math.abs(x) > 1e-3));
      slopes.data.forEach((slope, at) => near(own[i]?.data[at], factor * slope, 1e-7));
    }
  });

  // What a row is about is what it says of it, so that fighting the one is fighting the other; some rows do not say.
  const rows: Row[] = tinyRows.map((row, i) => ({ ...row, ...(i % 4 === 3 ? {} : { about: row.label }) }));
  const options = (lambda: number): Json => [{
    use: "adversarial-debiasing",
    with: { column: "about", labels: ["bad", "good"], lambda },
  }];
  const trained = (lambda: number): Promise<Ran> =>
    run({ rows, regularizers: options(lambda), optimizer: "adamw", training: { maxSteps: 40, learningRate: 0.005 } });

  it("begins near the loss of guessing, and is not in what is saved", async () => {
    const { losses, weights } = await run({ rows, regularizers: options(1), training: { maxSteps: 1 } });
    near(losses[0]?.["adversarial-debiasing"], Math.LN2, 0.2);
    assert.deepEqual(Object.keys(weights).filter((name) => name.includes("adversar")), []);
    assert.ok(Object.keys(weights).length > 30);
  });

  it("keeps an adversary from telling what one that only watches does tell", async () => {
    const [watched, fought] = [await trained(0), await trained(1)];
    const last = (ran: Ran): number =>
      ran.losses.slice(-6).reduce((s, l) => s + (l["adversarial-debiasing"] ?? NaN), 0) / 6;
    assert.ok(last(watched) < 0.1, `${last(watched)}`);
    assert.ok(last(fought) > 0.65, `${last(fought)}`);
  });

  it("does not take a value that it does not know", async () => {
    const wrong = [{ text: "a film", label: "good", about: "flim" }];
    await assert.rejects(
      run({ rows: wrong, regularizers: options(1), training: { maxSteps: 1 } }),
      /about of row 0.*"flim"/s,
    );
  });
});
