import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { batchPlan } from "../../../core/run/rows/batches.ts";
import { encodeRows } from "../../../core/run/rows/data.ts";
import { openTasks } from "../../../core/run/open/open.ts";
import { planRun } from "../../../core/run/plan/plan.ts";
import { readSafetensors } from "../../../core/files/safetensors.ts";
import type { Json, Named, Row, RunSpec, Store, Tensor } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { tinyRows } from "../../tiny.ts";
import { host, specOf, trained } from "./helpers.ts";
import { near } from "../../near.ts";

const tags: readonly Row[] = Array.from({ length: 12 }, (_, i) => ({
  tokens: i % 2 === 0 ? ["the", "nice", "film", "was", "dull"] : ["a", "good", "food", "!"],
  tags: i % 2 === 0 ? ["O", "O", "THING", "O", "O"] : ["O", "O", "THING", "O"],
}));
const memory = (rows: readonly Row[]): Json => ({ use: "memory", with: { rows: rows as unknown as Json } });
const both = (rows: readonly Row[]): Json => ({ train: memory(rows), eval: memory(rows) });
const reviews = { task: { use: "sequence-classification", with: { labels: ["bad", "good"] } }, data: both(tinyRows) };
const things = { task: { use: "token-classification", with: { labels: ["O", "THING"] } }, data: both(tags) };

function spec(tasks: Named<Json>, change: Named<Json> = {}, sampling: Json = {}): Named<Json> {
  const { data: _, ...rest } = specOf({ use: "multi-task", with: { tasks, sampling } }, [], change);
  return rest;
}

async function tensors(output: Store, key: string): Promise<Named<Tensor>> {
  const file = await output.get(key);
  assert.ok(file, key);
  return readSafetensors(file.bytes, key);
}

describe("multi-task", () => {
  it("learns several tasks over one model, and leaves what each alone would have left", async () => {
    const { metrics, file, output } = await trained(spec({ reviews, things }, { training: { numTrainEpochs: 8 } }));
    assert.equal(metrics.reviews_accuracy, 1);
    assert.equal(metrics.things_seqeval_accuracy, 1);
    const written = await file("metrics.json") as { loss: number; tasks: Named<Named<number>> };
    assert.deepEqual(Object.keys(written.tasks), ["reviews", "things"]);
    assert.equal(written.tasks.reviews?.accuracy, 1);
    const mean = ((written.tasks.reviews?.loss ?? NaN) + (written.tasks.things?.loss ?? NaN)) / 2;
    assert.equal(written.loss, mean);
    const [a, b] = [
      await tensors(output, "model/reviews/model.safetensors"),
      await tensors(output, "model/things/model.safetensors"),
    ];
    const name = "bert.encoder.layer.1.attention.self.query.weight";
    assert.deepEqual(a[name]?.data, b[name]?.data);
    assert.notDeepEqual(a["classifier.weight"]?.data, b["classifier.weight"]?.data);
    assert.ok(a["bert.pooler.dense.weight"] && !b["bert.pooler.dense.weight"]);
    const config = async (task: string) => await file(`model/${task}/config.json`) as { architectures: string[] };
    assert.deepEqual((await config("reviews")).architectures, ["BertForSequenceClassification"]);
    assert.deepEqual((await config("things")).architectures, ["BertForTokenClassification"]);
  });

  it("of one task alone is the run of that task", async () => {
    const training = { numTrainEpochs: 2, gradientAccumulationSteps: 2, trainSamplingStrategy: "sequential" };
    const plain = await trained(specOf(reviews.task, tinyRows, { training }), { head: true });
    const one = await trained(spec({ reviews }, { training }), { head: true });
    assert.deepEqual(one.losses, plain.losses);
    assert.equal(one.metrics.reviews_loss, plain.metrics.loss);
    const file = "model.safetensors";
    assert.deepEqual(await tensors(one.output, `model/reviews/${file}`), await tensors(plain.output, `model/${file}`));
  });

  it("goes on to the same bits after an interruption", async () => {
    const change = {
      training: {
        maxSteps: 7,
        gradientAccumulationSteps: 2,
        evalStrategy: "steps",
        evalSteps: 2,
        loadBestModelAtEnd: true,
      },
    };
    const straight = await trained(spec({ reviews, things }, change));
    const parts = await trained(spec({ reviews, things }, change), { stopAt: 4 });
    assert.deepEqual(parts.losses, straight.losses);
    assert.deepEqual(await parts.file("metrics.json"), await straight.file("metrics.json"));
    for (const task of ["reviews", "things"]) {
      const key = `model/${task}/model.safetensors`;
      assert.deepEqual(await tensors(parts.output, key), await tensors(straight.output, key));
    }
  });

  it("leaves what a step's tasks do not reach as it is", async () => {
    // Tagging alone has its turn: the other head keeps its first values, moments and decay and all.
    const sampling = { probabilities: { reviews: 0, things: 1 } };
    const change = (maxSteps: number): Named<Json> => ({
      training: { maxSteps },
      optimizer: { use: "adamw", with: { weightDecay: 0.5 } },
    });
    const [short, long] = await Promise.all(
      [1, 6].map(async (steps) => (await trained(spec({ reviews, things }, change(steps), sampling))).output),
    ) as [Store, Store];
    const [a, b] = [
      await tensors(short, "model/reviews/model.safetensors"),
      await tensors(long, "model/reviews/model.safetensors"),
    ];
    assert.deepEqual(a["classifier.weight"]?.data, b["classifier.weight"]?.data);
    assert.deepEqual(a["bert.pooler.dense.weight"]?.data, b["bert.pooler.dense.weight"]?.data);
    assert.notDeepEqual(
      a["bert.encoder.layer.0.output.dense.weight"]?.data,
      b["bert.encoder.layer.0.output.dense.weight"]?.data,
    );
  });

  it("gives each task its share of turns: by size, by its power, by probabilities, evenly where rows go in order", async () => {
    const shares = async (sampling: Json, strategy = "random"): Promise<number> => {
      const change = { training: { trainSamplingStrategy: strategy } };
      const run = compose(spec({ reviews, things }, change, sampling) as unknown as RunSpec, catalog);
      const tasks = [];
      for (const open of await openTasks(run, await host())) {
        const data = open.data.train;
        if (data) tasks.push({ open, train: await encodeRows(open, data, true), evalRows: undefined });
      }
      const plan = batchPlan(run, tasks);
      assert.equal(plan.perEpoch, 6 + 3);
      let [taskLoss, all] = [0, 0];
      for (let epoch = 0; epoch < 60; epoch++) {
        for (let index = 0; index < 9; index++) {
          const turns = await plan.of(epoch, index);
          all += turns.length;
          taskLoss += turns.filter((batch) => batch.task === "reviews").length;
        }
      }
      assert.equal(all, 540);
      return taskLoss / all;
    };
    near(await shares({}), 2 / 3, 0.06);
    near(await shares({ temperature: 0 }), 1 / 2, 0.06);
    near(await shares({ temperature: 2 }), 4 / 5, 0.06);
    near(await shares({ probabilities: { reviews: 0.1, things: 0.9 } }), 0.1, 0.04);
    near(await shares({}, "sequential"), 2 / 3, 1e-9);
  });

  it("weights tasks' losses, also within a step", async () => {
    const losses = async (weight: number): Promise<readonly number[]> => {
      const change = { training: { maxSteps: 1, gradientAccumulationSteps: 9, learningRate: 0 } };
      const tasks = { reviews: { ...reviews, weight }, things };
      const { events } = await trained(
        spec(tasks, { training: { ...change.training, trainSamplingStrategy: "sequential" } }),
      );
      return events.flatMap((
        e,
      ) => (e.type === "step" ? [e.losses["reviews.logits"] ?? NaN, e.losses["things.logits"] ?? NaN] : []));
    };
    const [[a = NaN, b = NaN], [c = NaN, d = NaN]] = [await losses(1), await losses(3)] as [number[], number[]];
    assert.ok(Math.abs(c - 3 * a) < 1e-6 && Math.abs(d - b) < 1e-7, `${[a, b, c, d]}`);
  });

  it("shares an adapter, or gives a task its own", async () => {
    const lora = { use: "lora", with: { r: 2 } };
    const shared = await trained(spec({ reviews, things }, { adapter: [lora], training: { maxSteps: 4 } }));
    const key = "base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight";
    const of = async (output: Store, task: string) =>
      await tensors(output, `adapter/${task}/adapter_model.safetensors`);
    const [a, b] = [await of(shared.output, "reviews"), await of(shared.output, "things")];
    assert.deepEqual(a[key]?.data, b[key]?.data);
    assert.ok(Object.keys(a).some((name) => name.includes("classifier.weight")), `${Object.keys(a)}`);
    const run = await trained(
      spec({ reviews: { ...reviews, adapter: lora }, things: { ...things, adapter: [lora] } }, {
        training: { maxSteps: 4 },
      }),
    );
    const [c, d] = [await of(run.output, "reviews"), await of(run.output, "things")];
    assert.ok(c[key] && d[key]);
    assert.notDeepEqual(c[key]?.data, d[key]?.data);
    assert.deepEqual(Object.keys(c).sort(), Object.keys(a).sort());
  });

  it("takes a head that the checkpoint has for the tasks that it fits", async () => {
    const wide = { ...things, task: { use: "token-classification", with: { labels: ["O", "THING", "PLACE"] } } };
    const { events } = await trained(spec({ reviews, wide }, { training: { maxSteps: 1 } }), { head: true });
    const news = events.flatMap((e) => (e.type === "warning" && e.code === "NEW_PARAMETERS" ? [e.message] : []));
    assert.match(news[0] ?? "", /^2 parameters .*: wide\.classifier\.weight, wide\.classifier\.bias$/);
  });

  it("is planned as a whole", async () => {
    const planned = async (own: Named<Json>) =>
      await planRun(compose(own as unknown as RunSpec, catalog), await host());
    const both = await planned(spec({ reviews, things }));
    const [a, b] = [await planned(spec({ reviews })), await planned(spec({ things }))];
    // The backbone counts once; tagging has no pooler.
    const heads = 2 * (2 * 16 + 2);
    assert.equal(both.totalParameters, a.totalParameters + heads / 2);
    assert.equal(both.totalParameters, b.totalParameters + heads / 2 + 16 * 16 + 16);
    assert.ok(both.fits && both.flops > 0 && both.flops < 1.01 * (a.flops + b.flops));
  });

  it("keeps each task's best weights", async () => {
    const change = {
      training: { maxSteps: 12, evalStrategy: "steps", evalSteps: 2, loadBestModelAtEnd: true, learningRate: 0.05 },
    };
    const { events, file } = await trained(spec({ reviews, things }, change));
    const seen = events.flatMap((e) => (e.type === "evaluate" ? [e.metrics] : []));
    const written = await file("metrics.json") as { tasks: Named<Named<number>> };
    for (const task of ["reviews", "things"]) {
      const least = Math.min(...seen.map((metrics) => metrics[`${task}_loss`] ?? NaN));
      assert.equal(written.tasks[task]?.loss, least);
    }
  });

  it("refuses what each task has of its own, and data that is nobody's", () => {
    const composed = (own: Named<Json>) => () => compose(own as unknown as RunSpec, catalog);
    const tasks = { reviews };
    assert.throws(
      composed({ ...spec(tasks), data: both([]), metrics: ["accuracy"] }),
      /data: .*has its own[^]*metrics: .*has its own/,
    );
    assert.throws(composed(spec({ "a b": reviews })), /a name of letters/);
    assert.throws(composed(spec(tasks, {}, { probabilities: { review: 1 } })), /exactly these tasks/);
    assert.throws(
      composed(spec({ reviews: { ...reviews, task: { use: "multi-task", with: { tasks: { reviews, things } } } } })),
      /a single task/,
    );
    const { data: _, ...without } = specOf(reviews.task, []);
    assert.throws(composed(without), /data: expected a value/);
  });
});
