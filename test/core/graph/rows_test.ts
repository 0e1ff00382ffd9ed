/** Selected rows are the rows of the whole computation, gradients too, with less work. */
import fc from "fast-check";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { DimValues, Shape } from "../../../core/graph/ops/dims.ts";
import * as f from "../../../core/graph/ops/functions.ts";
import { Graph, reachable, type Value } from "../../../core/graph/graph.ts";
import { choosePlaces, selectRows } from "../../../core/graph/row_selection.ts";
import { gradients } from "../../../core/graph/autodiff.ts";
import { fixedInput, type InputValues, mixed, near, randomInput } from "../../../conformance/differences.ts";
import { interpret, type Reference } from "../../../conformance/oracle/interpreter.ts";
import { runOnnx } from "../../oracle/runtime.ts";

/** What a random model is. `segments`: the sequence of each place, so that rows hold several. */
type Model = Readonly<{
  layers: number;
  norm: "layer" | "rms";
  before: boolean;
  activation: "gelu" | "silu" | "gated";
  dropout: boolean;
  causal: boolean;
}>;
type Batch = Readonly<{ batch: number; seq: number; places: readonly number[] }>;

const HIDDEN = 4;
const HEADS = 2;

const model: fc.Arbitrary<Model> = fc.record({
  layers: fc.integer({ min: 1, max: 2 }),
  norm: fc.constantFrom("layer", "rms"),
  before: fc.boolean(),
  activation: fc.constantFrom("gelu", "silu", "gated"),
  dropout: fc.boolean(),
  causal: fc.boolean(),
});
const batch: fc.Arbitrary<Batch> = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  seq: fc.integer({ min: 1, max: 4 }),
}).chain(({ batch, seq }) =>
  fc.record({
    batch: fc.constant(batch),
    seq: fc.constant(seq),
    places: fc.uniqueArray(fc.integer({ min: 0, max: batch * seq - 1 }), { minLength: 1, maxLength: 4 }),
  })
);

/** A model over random weights and inputs, with the values it is asked about. */
function build(model: Model, { batch, seq, places }: Batch): {
  graph: Graph;
  given: InputValues;
  dims: Record<string, number>;
  hidden: Value;
  index: Value;
  weights: readonly string[];
  masks: readonly Value[];
} {
  const graph = new Graph();
  const values: InputValues = {};
  const { picks, unpick, perRow } = choosePlaces(places, batch, seq);
  const dims: Record<string, number> = { batch, seq, sequences: places.length, "first.picks": perRow };
  const weights: string[] = [];
  const masks: Value[] = [];
  const weight = (name: string, shape: Shape): Value => {
    weights.push(name);
    return randomInput(graph, values, name, shape, dims);
  };
  const dropout = (x: Value): Value => {
    if (!model.dropout) return x;
    const mask = randomInput(graph, values, `mask.${masks.length}`, x.shape, dims);
    masks.push(mask);
    return f.mul(x, mask);
  };
  const norm = (name: string, x: Value): Value =>
    model.norm === "rms"
      ? f.rmsNorm(x, weight(`${name}.weight`, [HIDDEN]), 1e-6)
      : f.layerNorm(x, weight(`${name}.weight`, [HIDDEN]), weight(`${name}.bias`, [HIDDEN]), 1e-6);
  const linear = (name: string, x: Value, size: number, bias: boolean): Value =>
    graph.within(
      name,
      () =>
        f.gemm(
          x,
          weight(`${name}.weight`, [size, x.shape[1] ?? 0]),
          bias ? weight(`${name}.bias`, [size]) : undefined,
          {
            transB: true,
          },
        ),
    );
  const segments = fixedInput(graph, values, "segments", "int32", ["batch", "seq"], dims, [
    ...Array.from({ length: batch * seq }, (_, i) => (i % seq < seq / 2 ? 1 : 2)),
  ]);
  const positions = fixedInput(graph, values, "positions", "int32", ["batch", "seq"], dims, [
    ...Array.from({ length: batch * seq }, (_, i) => i % seq),
  ]);
  const asQuery = (v: Value): Value => f.reshape(v, ["batch", 1, "seq", 1]);
  const asKey = (v: Value): Value => f.reshape(v, ["batch", 1, 1, "seq"]);
  let seen = f.equal(asQuery(segments), asKey(segments));
  if (model.causal) seen = f.and(seen, f.not(f.greater(asKey(positions), asQuery(positions))));
  const attention = (name: string, x: Value): Value => {
    const heads = (part: string): Value =>
      f.transpose(f.reshape(linear(`${name}.${part}`, x, HIDDEN, true), ["batch", "seq", HEADS, HIDDEN / HEADS]), [
        0,
        2,
        1,
        3,
      ]);
    const scores = f.add(f.product(heads("q"), heads("k"), { alpha: 0.7, transB: true }), f.where(seen, 0, -1e9));
    const context = f.matmul(dropout(f.softmax(scores)), heads("v"));
    return dropout(
      linear(`${name}.o`, f.reshape(f.transpose(context, [0, 2, 1, 3]), ["batch*seq", HIDDEN]), HIDDEN, false),
    );
  };
  const feedForward = (name: string, x: Value): Value => {
    const up = linear(`${name}.up`, x, 6, true);
    const inner = model.activation === "gelu"
      ? f.gelu(up)
      : model.activation === "silu"
      ? f.silu(up)
      : f.mul(f.silu(up), linear(`${name}.gate`, x, 6, false));
    return dropout(linear(`${name}.down`, inner, HIDDEN, true));
  };
  let x = randomInput(graph, values, "x", ["batch*seq", HIDDEN], dims);
  for (let i = 0; i < model.layers; i++) {
    for (const [name, block] of [["attention", attention], ["feedForward", feedForward]] as const) {
      const path = `${i}.${name}`;
      x = model.before
        ? f.add(x, block(path, norm(`${path}.norm`, x)))
        : norm(`${path}.norm`, f.add(x, block(path, x)));
    }
  }
  const index = fixedInput(graph, values, "first", "int32", ["sequences"], dims, [...places]);
  values["first.picks"] = { dims: [picks.length], data: Float64Array.from(picks) };
  values["first.unpick"] = { dims: [unpick.length], data: Float64Array.from(unpick) };
  return { graph, given: values, dims, hidden: x, index, weights, masks };
}

/** Rows selected, with masks made anew for the chosen places: the same numbers, at these places. */
function selected({ graph, given: values, dims, hidden, index, masks }: ReturnType<typeof build>): Value {
  const picks = values["first.picks"]?.data ?? new Float64Array();
  return selectRows(hidden, index, (input, shape) => {
    if (!masks.includes(input)) return undefined;
    const name = masks.indexOf(input);
    const places = graph.input("all places", "int32", ["batch*first.picks"]);
    values["all places"] = { dims: [picks.length], data: picks };
    const flat = shape[0] === "batch*first.picks";
    // [batch, heads, seq, seq] by places: [batch*seq, heads, seq], gathered, and back.
    const [rows] = interpret(graph, values, [
      flat ? f.gather(input, places) : f.transpose(
        f.reshape(
          f.gather(f.reshape(f.transpose(input, [0, 2, 1, 3]), ["batch*seq", HEADS, "seq"]), places),
          ["batch", "first.picks", HEADS, "seq"],
        ),
        [0, 2, 1, 3],
      ),
    ], dims);
    values[`mask.${name}.picked`] = rows as Reference;
    return graph.input(`mask.${name}.picked`, "float32", shape);
  });
}

/** Rows of all matrix products that some values need. */
function productRows(values: readonly Value[], dims: DimValues): number {
  let total = 0;
  for (const node of reachable(values)) {
    if (node.op === "Gemm") {
      total += node.outputs[0]?.shape[0] === "batch*seq" ? (dims.batch ?? 0) * (dims.seq ?? 0) : 0;
    }
    if (node.op === "Gemm" && node.outputs[0]?.shape[0] === "batch*first.picks") {
      total += (dims.batch ?? 0) * (dims["first.picks"] ?? 0);
    }
  }
  return total;
}

describe("selected rows", () => {
  it("are those of the whole computation, with their gradients", () => {
    fc.assert(
      fc.property(model, batch, (model, batch) => {
        const built = build(model, batch);
        const { graph, given: values, dims, hidden, index, weights } = built;
        const [few, all] = [selected(built), f.gather(hidden, index)];
        assert.ok(graph.inputs.has("first.picks"));
        const [got, want] = interpret(graph, values, [few, all], dims);
        near(got, want, "rows", 1e-10);
        const dy = randomInput(graph, values, "dy", few.shape, dims);
        const wrt = ["x", ...weights].map((name) => graph.inputs.get(name) as Value);
        const [a, b] = [few, all].map((y) => gradients(f.sum(f.mul(y, dy)), wrt).map((g) => g.dense));
        wrt.forEach((_, i) => {
          const [left, right] = [a?.[i], b?.[i]];
          if (!left && !right) return;
          const [got, want] = interpret(graph, values, left && right ? [left, right] : [], dims);
          near(got, want, ["x", ...weights][i] ?? "", 1e-9);
        });
      }),
      { numRuns: 15 },
    );
  });
  it("leave out the rows that nobody reads", () => {
    for (const before of [false, true]) {
      const model: Model = { layers: 2, norm: "layer", before, activation: "gated", dropout: true, causal: true };
      const built = build(model, { batch: 3, seq: 4, places: [0, 2, 4, 8] });
      const { graph, dims, hidden, index } = built;
      const few = selected(built);
      // Of 7 products a layer only keys and values of the last one need all 12 rows; the others need 2 of each 4.
      assert.equal(productRows([f.gather(hidden, index)], dims), 14 * 12);
      assert.equal(productRows([few], dims), 7 * 12 + 2 * 12 + 5 * 6);
      const whole = reachable([few]).filter((node) => node.op === "Gemm" && node.scope.startsWith("1."))
        .filter((node) => node.outputs[0]?.shape[0] === "batch*seq").map((node) => node.scope);
      assert.deepEqual(whole, ["1.attention.k", "1.attention.v"]);
      const softmaxes = reachable([few]).filter((node) => node.op === "Softmax").map((node) =>
        node.outputs[0]?.shape[2]
      );
      assert.deepEqual(softmaxes, ["seq", "first.picks"]);
      assert.ok(!reachable([few]).some((node) => node.op === "Gather" && node.inputs[0] === hidden));
      const used = new Set(reachable([few]).flatMap((node) => node.inputs));
      const masks = [...graph.inputs].filter(([name, v]) => name.startsWith("mask.") && used.has(v)).map(([name]) =>
        name
      );
      assert.deepEqual(masks.sort(), ["mask.0", "mask.1", "mask.2", "mask.3.picked", "mask.4.picked", "mask.5.picked"]);
    }
  });
  it("are what the runtime computes, gradients too", async () => {
    const built = build({ layers: 2, norm: "rms", before: true, activation: "gelu", dropout: true, causal: false }, {
      batch: 2,
      seq: 4,
      places: [5, 1, 4],
    });
    const { graph, given: values, dims, hidden, index, weights } = built;
    const few = selected(built);
    graph.output("rows", few);
    const wrt = weights.map((name) => graph.inputs.get(name) as Value);
    gradients(mixed([few], values, dims), wrt).forEach((g, i) => g.dense && graph.output(`d.${weights[i]}`, g.dense));
    const outputs = await runOnnx(graph, values, dims);
    const wanted = interpret(graph, values, [...graph.outputs.values()], dims);
    // All gradients as one: those of key biases are zero but for rounding.
    const one = (arrays: readonly (Readonly<{ data: Float64Array }> | undefined)[]): Reference => {
      const data = Float64Array.from(arrays.flatMap((x) => [...x?.data ?? []]));
      return { dims: [data.length], data };
    };
    near(one([...graph.outputs.keys()].map((name) => outputs[name])), one(wanted), "gradients", 1e-5);
    near(outputs.rows, interpret(graph, values, [f.gather(hidden, index)], dims)[0], "rows", 1e-5);
  });
});

describe("rows are simply gathered", () => {
  const graph = new Graph();
  const x = graph.input("x", "float32", ["batch*seq", 2]);
  const index = graph.input("index", "int32", ["sequences"]);
  const never = (): undefined => assert.fail("no input is asked for");
  it("from an input", () => assert.equal(selectRows(x, index, never), f.gather(x, index)));
  it("where the places are computed", () => {
    const next = f.add(index, 1);
    assert.equal(selectRows(f.exp(x), next, never), f.gather(f.exp(x), next));
  });
  it("from something else than places of the batch", () => {
    const y = f.exp(graph.input("y", "float32", ["sequences", 2]));
    assert.equal(selectRows(y, index, never), f.gather(y, index));
  });
  it("from a region with a rule of its own", () => {
    const stopped = f.detach(f.exp(x));
    assert.equal(selectRows(stopped, index, never), f.gather(stopped, index));
  });
  it("and nothing more is then fed", () => assert.ok(!graph.inputs.has("index.picks")));
});

describe("chosen places", () => {
  it("are found again, lie in their row, and are no more per row than the fullest has", () => {
    fc.assert(fc.property(batch, ({ batch, seq, places }) => {
      const { picks, unpick, perRow } = choosePlaces(places, batch, seq);
      assert.equal(picks.length, batch * perRow);
      assert.deepEqual(places.map((_, i) => picks[unpick[i] ?? -1]), [...places]);
      picks.forEach((place, i) => assert.equal(Math.floor(place / seq), Math.floor(i / perRow)));
      const counts = Array.from({ length: batch }, (_, b) => places.filter((p) => Math.floor(p / seq) === b).length);
      assert.equal(perRow, Math.max(1, ...counts));
    }));
  });
});
