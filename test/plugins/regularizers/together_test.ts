import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { toSpec } from "../../../core/spec/to_spec.ts";
import type { Json, Row, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyRows, tinySpec } from "../../tiny.ts";
import { type Ran, run } from "../../tiny_run.ts";

const data = (rows: readonly Row[]): Json => ({ use: "memory", with: { rows: rows as unknown as Json } });
const rows = tinyRows.map((row, i) => ({ ...row, about: i % 3 === 0 ? "film" : "other" }));
const regularizers: Json = [
  "neftune",
  { use: "mixout", with: { p: 0.5 } },
  { use: "r-drop", with: { alpha: 2 } },
  { use: "adversarial-debiasing", with: { column: "about", labels: ["film", "other"] } },
  { use: "ewc", with: { data: data(tinyRows.slice(0, 4)), lambda: 10 } },
  "l2-sp",
];
const training = { maxSteps: 4, learningRate: 0.01 };
const change = { rows, regularizers, dropout: 0.1, optimizer: "adamw" };
const near = (a: Ran, b: Ran, tolerance = 5e-6): void =>
  a.losses.forEach((terms, i) =>
    Object.entries(terms).forEach(([name, x]) => {
      assert.ok(Math.abs(x - (b.losses[i]?.[name] ?? NaN)) <= tolerance, `step ${i + 1}, ${name}: ${x}`);
    })
  );

describe("regularizers together", () => {
  it("resume to the same bits", async () => {
    const straight = await run({ ...change, training });
    assert.deepEqual(Object.keys(straight.losses[0] ?? {}), [
      "logits",
      "r-drop",
      "adversarial-debiasing",
      "ewc",
      "l2-sp",
      "total",
    ]);
    const output = await memory().open(await hostHere(1));
    const first = await run({ ...change, training, output, stopAt: 2 });
    const second = await run({ ...change, training, output, resume: true });
    assert.deepEqual([...first.losses, ...second.losses], straight.losses);
    assert.deepEqual(second.weights, straight.weights);
  });

  it("give the same with recomputed layers and with padded rows", async () => {
    const plain = await run({ ...change, training });
    near(await run({ ...change, training: { ...training, gradientCheckpointing: true } }), plain);
    near(await run({ ...change, training: { ...training, rowSharing: false } }), plain);
  });

  it("hold for each of several tasks", async () => {
    const tags = Array.from({ length: 8 }, () => ({ tokens: ["the", "nice", "film"], tags: ["O", "O", "THING"] }));
    const both = (rows: readonly Row[]): Json => ({ train: data(rows), eval: data(rows) });
    const tasks = {
      reviews: { task: { use: "sequence-classification", with: { labels: ["bad", "good"] } }, data: both(tinyRows) },
      things: { task: { use: "token-classification", with: { labels: ["O", "THING"] } }, data: both(tags) },
    };
    const { losses } = await run({
      task: { use: "multi-task", with: { tasks } },
      regularizers: ["l2-sp", { use: "r-drop", with: { alpha: 1 } }],
      training: { maxSteps: 6, gradientAccumulationSteps: 2, learningRate: 0.05 },
    });
    for (const terms of losses) {
      const own = (terms["reviews.logits"] ?? NaN) + (terms["things.logits"] ?? NaN);
      assert.ok(Math.abs((terms["r-drop"] ?? NaN) - own) < 1e-6, "without dropout the second pass is the first");
    }
    assert.ok((losses.at(-1)?.["l2-sp"] ?? 0) > (losses[0]?.["l2-sp"] ?? NaN));
  });

  it("and averages of weights are written into a spec, and read from it", () => {
    const optimizer: Json = {
      use: "ema",
      with: { decay: 0.9, optimizer: { use: "lion", with: { groups: [{ pattern: "bias" }] } } },
    };
    const spec = { ...tinySpec({ optimizer }), regularizers } as unknown as RunSpec;
    const written = toSpec(compose(spec, catalog));
    assert.deepEqual(toSpec(compose(JSON.parse(JSON.stringify(written)) as RunSpec, catalog)), written);
  });
});
