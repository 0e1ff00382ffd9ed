import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { planRun } from "../../../core/run/plan/plan.ts";
import { define } from "../../../core/spec/define.ts";
import type { Callback, Json, Named, Row, RunSpec, TrainingEvent } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import * as v from "valibot";
import { tinyRows } from "../../tiny.ts";
import { host, specOf, trained } from "../../plugins/tasks/helpers.ts";

const memory = (rows: readonly Row[]): Json => ({ use: "memory", with: { rows: rows as unknown as Json } });
const reviews = { use: "sequence-classification", with: { labels: ["bad", "good"] } };
/** Rows of which every label is wrong: their figures can be those of nothing else. */
const wrong: readonly Row[] = tinyRows.map((row) => ({ ...row, label: row.label === "good" ? "bad" : "good" }));
const data = { train: memory(tinyRows), eval: memory(tinyRows), test: memory(wrong.slice(0, 6)) };
const text = async (run: Awaited<ReturnType<typeof trained>>, key: string): Promise<string> =>
  new TextDecoder().decode((await run.output.get(key))?.bytes);

describe("data.test", () => {
  it("is what a run ends with: metrics.json leads with it, and the rows that judged the run stand beside", async () => {
    const run = await trained(specOf(reviews, [], { data, metrics: ["accuracy"], loggers: ["jsonl", "report"] }));
    const file = await run.file("metrics.json") as {
      loss: number;
      accuracy: number;
      split: string;
      eval: Named<number>;
    };
    assert.deepEqual(Object.keys(file), ["loss", "accuracy", "split", "eval"]);
    assert.equal(file.split, "test");
    assert.deepEqual([file.accuracy, file.eval.accuracy], [0, 1]);
    assert.ok(file.loss > 1 && (file.eval.loss ?? 1) < 0.5, JSON.stringify(file));
    const end = run.events.findLast((event) => event.type === "end");
    assert.deepEqual(
      end?.type === "end" && [end.split, end.rows, end.metrics, end.eval],
      ["test", 6, { loss: file.loss, accuracy: 0 }, file.eval],
    );
    const [after, before] = run.events.filter((event) => event.type === "examples");
    assert.deepEqual([after?.split, after?.phase, after?.examples.length], ["test", "after", 6]);
    assert.deepEqual([before?.split, before?.phase, before?.examples.length], ["test", "before", 6]);
    assert.match(await text(run, "report.html"), /test, 6 rows/);
    const card = await text(run, "model/README.md");
    assert.match(
      card,
      /Measured on test, 6 rows\.\n\n\| metric \| test \| eval, the split that chose the checkpoint \|\n/,
    );
    assert.match(card, /\n\| accuracy \| 0 \| 1 \|\n/);
    const written = await run.file("spec.json") as { data: Named<Json>; fingerprints: Named<string> };
    assert.deepEqual(Object.keys(written.data), ["train", "eval", "test"]);
    assert.deepEqual(Object.keys(written.fingerprints), ["base", "tokenizer", "train", "eval", "test"]);
  });

  it("is seen by nothing before the end: callbacks, best weights and losses are as without it", async () => {
    const seen: TrainingEvent[] = [];
    const watch = define({
      kind: "callback",
      name: "watch",
      schema: v.strictObject({}),
      create: (): Omit<Callback, "kind" | "name" | "options"> => ({
        init: () => ({}),
        on: (state, event) => (seen.push(event), { state }),
      }),
    });
    const training = { evalStrategy: "steps", evalSteps: 2, maxSteps: 8, learningRate: 0.05, loadBestModelAtEnd: true };
    const { test: _, ...two } = data;
    const callbacks = [watch()] as unknown as Json;
    const plain = await trained(specOf(reviews, [], { data: two, training, callbacks }));
    const before = seen.splice(0);
    const run = await trained(specOf(reviews, [], { data, training, callbacks }));
    assert.deepEqual(run.losses, plain.losses);
    assert.deepEqual(
      seen.map((event) => event.type === "start" ? { ...event, testRows: 0 } : event),
      before.map((event) => event.type === "start" ? { ...event, testRows: 0 } : event),
    );
    const file = await run.file("metrics.json") as { eval: Named<number> };
    assert.deepEqual(file.eval, await plain.file("metrics.json"));
    assert.deepEqual(
      (await run.output.get("model/model.safetensors"))?.bytes,
      (await plain.output.get("model/model.safetensors"))?.bytes,
    );
  });

  it("needs no data.eval, and goes on to the same figures after an interruption", async () => {
    const change = {
      metrics: ["accuracy"],
      data: { train: data.train, test: data.test },
      training: { saveSteps: 2, saveStrategy: "steps" },
    };
    const straight = await trained(specOf(reviews, [], change));
    const file = await straight.file("metrics.json") as Named<Json>;
    assert.deepEqual(Object.keys(file), ["loss", "accuracy", "split"]);
    const parts = await trained(specOf(reviews, [], change), { stopAt: 3 });
    assert.deepEqual(await parts.file("metrics.json"), file);
  });

  it("may name tokens that no other row has", async () => {
    const [a, b] = [[{ text: "the film", label: "good" }, { text: "a film", label: "bad" }], [{
      text: "dull !",
      label: "bad",
    }]];
    const run = await trained(specOf(reviews, [], { data: { train: memory(a), eval: memory(a), test: memory(b) } }));
    // The same rows as one split: with test rows among those that judge, the numbers are the same.
    const judged = await trained(specOf(reviews, [], { data: { train: memory(a), eval: memory(b) } }));
    assert.deepEqual(run.metrics, judged.metrics);
  });

  it("belongs to each of several tasks; one without is reported on the rows that judged it, and says so", async () => {
    const tags: readonly Row[] = [{ tokens: ["the", "nice", "film"], tags: ["O", "O", "THING"] }];
    const things = {
      task: { use: "token-classification", with: { labels: ["O", "THING"] } },
      data: { train: memory(tags), eval: memory(tags) },
    };
    const { data: _, ...spec } = specOf({
      use: "multi-task",
      with: { tasks: { reviews: { task: reviews, data }, things } },
    }, []);
    const run = await trained(spec);
    const file = await run.file("metrics.json") as {
      loss: number;
      split: string;
      tasks: Named<Named<Json>>;
      eval: Named<Json>;
    };
    assert.equal(file.split, "test");
    const end = run.events.findLast((event) => event.type === "end");
    assert.deepEqual(end?.type === "end" && [end.split, end.rows], ["test", 6]);
    assert.deepEqual([file.tasks.reviews?.split, file.tasks.things?.split], ["test", "eval"]);
    assert.deepEqual([file.tasks.reviews?.accuracy, (file.eval.tasks as Named<Named<Json>>).reviews?.accuracy], [0, 1]);
    assert.match(
      await text(run, "model/things/README.md"),
      /Measured on eval, the split that chose the checkpoint, 1 row\./,
    );
    assert.match(await text(run, "model/reviews/README.md"), /Measured on test, 6 rows\./);
  });

  it("counts in a plan, and an unknown split is refused by its name", async () => {
    const flops = async (splits: Json): Promise<number> =>
      (await planRun(compose(specOf(reviews, [], { data: splits }) as unknown as RunSpec, catalog), await host()))
        .flops;
    const { test: _, ...two } = data;
    assert.ok(await flops(data) !== await flops(two));
    assert.throws(
      () => compose(specOf(reviews, [], { data: { ...data, tests: data.test } }) as unknown as RunSpec, catalog),
      /data\.tests.*test/s,
    );
  });
});

describe("a run without test rows", () => {
  it("says that its figures are of the split that chose the checkpoint", async () => {
    const run = await trained(specOf(reviews, tinyRows, { metrics: ["accuracy"] }));
    assert.match(
      await text(run, "model/README.md"),
      /Measured on eval, the split that chose the checkpoint, \d+ rows\./,
    );
    assert.deepEqual(Object.keys(await run.file("metrics.json") as Named<Json>), ["loss", "accuracy"]);
  });
});
