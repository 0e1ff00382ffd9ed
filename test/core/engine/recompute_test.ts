/** What is computed again changes no number and keeps less; the cut that decides it is the least. */
import fc from "fast-check";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { dimsWith } from "../../../core/engine/feeds.ts";
import { createFlow } from "../../../core/engine/flow.ts";
import { executionOrder, peakBytes } from "../../../core/engine/liveness.ts";
import { lower } from "../../../core/engine/lower/lower.ts";
import { buildProgram } from "../../../core/engine/program.ts";
import { trainsRule } from "../../../core/engine/builder/parameters.ts";
import { createRecomputer, selectRecomputed } from "../../../core/engine/recompute.ts";
import { productsOf } from "../../../core/engine/work.ts";
import { evaluateDim } from "../../../core/graph/ops/dims.ts";
import type { Node } from "../../../core/graph/graph.ts";
import { largestBatch } from "../../../core/loop/layout.ts";
import { encodeAll, trainData } from "../../../core/run/rows/data.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Json, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { families, type Family, noDropout, tinyModel } from "../../conformance/families.ts";
import { tinyHost } from "../../tiny.ts";

/** Random networks over a few vertices, the first the source and the last the sink. */
const network = fc.integer({ min: 2, max: 6 }).chain((vertices) =>
  fc.record({
    vertices: fc.constant(vertices),
    edges: fc.array(
      fc.tuple(fc.nat(vertices - 1), fc.nat(vertices - 1), fc.integer({ min: 0, max: 9 })),
      { maxLength: 14 },
    ),
  })
);

describe("minimum cuts", () => {
  it("are the least of all, and the nearest to the sink", () => {
    fc.assert(fc.property(network, ({ vertices, edges }) => {
      const flow = createFlow();
      for (let i = 0; i < vertices; i++) flow.vertex();
      for (const [from, to, capacity] of edges) flow.edge(from, to, capacity);
      const onSink = flow.cut(0, vertices - 1);
      const costOf = (sink: (vertex: number) => boolean): number =>
        edges.reduce((sum, [from, to, capacity]) => sum + (!sink(from) && sink(to) ? capacity : 0), 0);
      const sizeOf = (sink: (vertex: number) => boolean): number =>
        Array.from({ length: vertices }, (_, i) => i).filter(sink).length;
      let least = Infinity, smallest = Infinity;
      for (let bits = 0; bits < 2 ** vertices; bits++) {
        const sink = (vertex: number): boolean => (bits >> vertex & 1) === 1;
        if (sink(0) || !sink(vertices - 1)) continue;
        const cost = costOf(sink);
        if (cost < least) [least, smallest] = [cost, Infinity];
        if (cost === least) smallest = Math.min(smallest, sizeOf(sink));
      }
      assert.ok(!onSink(0) && onSink(vertices - 1));
      assert.equal(costOf(onSink), least);
      assert.equal(sizeOf(onSink), smallest);
    }));
  });
});

const text = "the film was very good and the food was great but not fun . a phone is nice !";

function specOf(family: Family, training: Json): RunSpec {
  const rows = [text, `${text} very dull`].map((text) => ({ text, source: text, target: text, label: "good" }));
  return {
    version: 1,
    model: tinyModel({ ...family, config: { ...family.config, ...noDropout } }),
    task: family.task,
    data: { train: { use: "memory", with: { rows } } },
    adapter: { use: "lora", with: { r: 2, targetModules: "all-linear" } },
    training: { maxSteps: 2, learningRate: 0.01, perDeviceTrainBatchSize: 2, saveStrategy: "no", ...Object(training) },
  } as unknown as RunSpec;
}

/** The training program of a run on tiny rows, with the sizes of its batch. */
async function programOf(spec: RunSpec) {
  const open = await openRun(compose(spec, catalog), tinyHost(await hostHere(1)));
  const samples = await encodeAll(open, trainData(open), true);
  const batch = largestBatch(samples, 2, open.layout);
  const program = buildProgram({
    mode: "train",
    backbone: open.backbone,
    heads: open.heads,
    losses: open.losses,
    attached: open.attached,
    accelerators: open.run.accelerators,
    labelSmoothing: 0,
    checkpointing: open.run.training.gradientCheckpointing,
    isTrainable: trainsRule(open.attached),
    targets: batch.inputs,
    fields: Object.keys(batch.inputs),
  });
  return { ...program, dims: dimsWith(program.graph.inputs.keys(), batch) };
}

/** The peaks of a run's values by what is computed again; `all`: products, too. */
async function peaksOf(spec: RunSpec): Promise<Readonly<Record<"nothing" | "passes" | "attention" | "all", number>>> {
  const program = await programOf(spec);
  const peak = (how: "nothing" | "passes" | "attention" | number): number =>
    peakBytes(
      lower(program.graph, () => ({ as: "feed" }), "cpu", selectRecomputed(program, program.dims, how)),
      program.dims,
    );
  return { nothing: peak("nothing"), passes: peak("passes"), attention: peak("attention"), all: peak(1000) };
}

function hasWeight({ inputs }: Node): boolean {
  return inputs.some((value) => value?.graph.origin(value)?.kind === "parameter");
}

/** Families whose tiny models keep less where products are made again. */
const deep: ReadonlySet<string> = new Set(["llama", "gemma2"]);

describe("what is computed again", () => {
  it("weights that bf16 rounds are, always", async () => {
    // Weights far larger than a step's values.
    const config = { ...families.llama?.config, intermediate_size: 2048, num_hidden_layers: 4 };
    const spec = specOf({ config, task: "causal-lm" }, { gradientCheckpointing: true });
    const plain = await peaksOf(spec);
    const rounded = await peaksOf({ ...spec, accelerators: ["bf16"] } as unknown as RunSpec);
    // One layer's are there at a time, not those of four.
    const layer = 4 * 3 * 16 * 2048;
    assert.ok(rounded.nothing < plain.nothing + 2 * layer, `${plain.nothing} and ${rounded.nothing}`);
  });

  for (const name of ["llama", "gemma2", "bert", "t5", "modernbert", "mpnet", "deberta-v2"]) {
    const family = families[name] as Family;
    it(`${name}: keeps less with each step`, async () => {
      const { nothing, passes, attention, all } = await peaksOf(specOf(family, {}));
      assert.ok(nothing > passes && passes > attention, `${nothing}, ${passes}, ${attention}`);
      // Of two layers, what is made again may be more than what is kept.
      if (deep.has(name)) assert.ok(attention > all, `${attention}, ${all}`);
    });

    it(`${name}: changes no number`, async () => {
      const run = async (memory: Json): Promise<number[]> => {
        const figures: number[] = [];
        const host = tinyHost(await hostHere(1));
        // Little more than a process takes: all that may be is made again.
        for await (const event of trainRun(compose(specOf(family, { memory }), catalog), host, {})) {
          if (event.type === "step") figures.push(event.loss, event.gradNorm ?? NaN);
        }
        return figures;
      };
      const plain = await run("auto");
      assert.equal(plain.length, 4);
      assert.deepEqual(await run(190_000_001), plain);
    });

    if (!deep.has(name)) continue;
    it(`${name}: makes products again as far as a budget asks for it, and as their share allows`, async () => {
      const program = await programOf(specOf(family, {}));
      const { graph, dims } = program;
      const recomputer = createRecomputer(program, dims);
      const [least, most] = [recomputer({ bytes: 0, moreWork: 0 }), recomputer({ bytes: 0, moreWork: 1 })];
      assert.ok(most.peak < least.peak && most.nodes > least.nodes);
      const between = recomputer({ bytes: (least.peak + most.peak) / 2, moreWork: 1 });
      assert.ok(between.peak <= (least.peak + most.peak) / 2 && between.nodes < most.nodes);
      const work = (values: ReadonlySet<number>): number =>
        productsOf(graph).filter(({ node }) => node.outputs.some(({ id }) => values.has(id)) && hasWeight(node))
          .reduce((sum, { multiplyAdds }) => sum + evaluateDim(multiplyAdds, dims), 0);
      const useful = productsOf(graph).reduce((sum, { multiplyAdds }) => sum + evaluateDim(multiplyAdds, dims), 0);
      assert.equal(work(least.values), 0);
      const some = recomputer({ bytes: 0, moreWork: 0.05 });
      assert.ok(work(some.values) > 0 && work(some.values) <= 0.05 * useful && work(most.values) > 0.05 * useful);
    });
  }
});

it("nodes run in the order of ONNX Runtime: back from the last leaf, of what it reads the last first", () => {
  const node = (inputs: string[], output: string) => ({
    op: "Neg",
    domain: "",
    name: output,
    inputs,
    outputs: [output],
    attributes: {},
  });
  const order = executionOrder([
    node(["x"], "a"),
    node(["a"], "b"),
    node(["x"], "c"),
    node(["c", "b"], "first"),
    node(["a"], "second"),
  ]);
  assert.deepEqual(order.map(({ name }) => name), ["a", "second", "c", "b", "first"]);
});
