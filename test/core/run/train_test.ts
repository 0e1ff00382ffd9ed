import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Json, Named, RunSpec, Store, TrainingEvent } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinySpec } from "../../tiny.ts";
import { allNear } from "../../near.ts";

type Step = Extract<TrainingEvent, { type: "step" }>;

async function run(
  spec: Named<Json>,
  output?: Store,
  options: { resume?: boolean; stopAt?: number } = {},
): Promise<TrainingEvent[]> {
  const host = tinyHost(await hostHere(1));
  const abort = new AbortController();
  const events: TrainingEvent[] = [];
  for await (
    const event of trainRun(compose(spec as unknown as RunSpec, catalog), host, {
      output,
      resume: options.resume,
      signal: abort.signal,
    })
  ) {
    events.push(event);
    if (event.type === "step" && event.step === options.stopAt) abort.abort();
  }
  return events;
}

const steps = (events: readonly TrainingEvent[]): Step[] => events.filter((e): e is Step => e.type === "step");
const losses = (events: readonly TrainingEvent[]): number[] => steps(events).map((e) => e.loss);
const store = async (): Promise<Store> => await memory().open(await hostHere(1));

describe("a run", () => {
  it("gives the same losses for the same seed, other losses for another", async () => {
    const a = losses(await run(tinySpec()));
    assert.deepEqual(a, losses(await run(tinySpec())));
    assert.notDeepEqual(a, losses(await run(tinySpec({ training: { seed: 7 } }))));
  });

  it("learns: the loss of the last steps is below that of the first", async () => {
    const all = losses(await run(tinySpec({ training: { maxSteps: 40, learningRate: 0.005 } })));
    const mean = (part: readonly number[]): number => part.reduce((a, b) => a + b, 0) / part.length;
    assert.ok(mean(all.slice(-5)) < mean(all.slice(0, 5)) - 0.1, `${all}`);
  });

  for (const adapter of [[], [{ use: "lora", with: { r: 2, loraDropout: 0.1 } }]]) {
    const name = adapter.length > 0 ? "lora" : "full";
    it(`resumes to the same bits after an interruption (${name})`, async () => {
      const spec = tinySpec({ adapter, training: { maxSteps: 9 }, dropout: 0.1 });
      const [whole, parts] = [await store(), await store()];
      const straight = await run(spec, whole);
      const first = await run(spec, parts, { stopAt: 4 });
      assert.equal(first.at(-1)?.type === "end" && first.at(-1), first.at(-1));
      const second = await run(spec, parts, { resume: true });
      assert.deepEqual([...losses(first), ...losses(second)], losses(straight));
      const file = adapter.length > 0 ? "adapter/adapter_model.safetensors" : "model/model.safetensors";
      assert.deepEqual((await parts.get(file))?.bytes, (await whole.get(file))?.bytes);
    });

    it(`shares rows as if it padded (${name}, with dropout)`, async () => {
      const spec = (rowSharing: boolean) => tinySpec({ adapter, dropout: 0.2, training: { rowSharing } });
      allNear(losses(await run(spec(true))), losses(await run(spec(false))), 2e-6);
    });

    it(`recomputes layers without changing anything (${name})`, async () => {
      const spec = (gradientCheckpointing: boolean) =>
        tinySpec({ adapter, dropout: 0.2, training: { gradientCheckpointing } });
      allNear(losses(await run(spec(true))), losses(await run(spec(false))), 2e-6);
    });

    it(`takes two micro-batches as one batch (${name})`, async () => {
      const spec = (size: number, accumulation: number) =>
        tinySpec({
          adapter,
          dropout: 0.2,
          training: {
            perDeviceTrainBatchSize: size,
            gradientAccumulationSteps: accumulation,
            trainSamplingStrategy: "sequential",
          },
        });
      const [one, two] = [await run(spec(8, 1)), await run(spec(4, 2))];
      allNear(losses(one), losses(two), 2e-6);
      allNear(steps(one).map((s) => s.gradNorm), steps(two).map((s) => s.gradNorm), 2e-5);
    });
  }

  it("starts a LoRA run at the base model's loss", async () => {
    const at = async (adapter: Json): Promise<number | undefined> =>
      losses(await run(tinySpec({ adapter, training: { maxSteps: 1 } })))[0];
    allNear([await at([{ use: "lora", with: { r: 2 } }]) ?? NaN], [await at([]) ?? NaN], 1e-6);
  });

  it("stops with a typed end after three steps that are not finite, and writes no model", async () => {
    const output = await store();
    const events = await run(
      tinySpec({ training: { learningRate: 1e30, maxGradNorm: 0, maxSteps: 20 }, optimizer: "sgd" }),
      output,
    );
    const end = events.at(-1);
    assert.equal(end?.type, "end");
    assert.equal(end.reason, "diverged");
    assert.match(end.message ?? "", /3 steps in a row/);
    assert.equal(steps(events).filter((s) => s.skipped).length, 3);
    assert.equal(await output.get("model/model.safetensors"), undefined);
  });

  it("keeps the best weights where asked", async () => {
    const spec = tinySpec({
      training: { evalStrategy: "steps", evalSteps: 2, maxSteps: 8, learningRate: 0.05, loadBestModelAtEnd: true },
    });
    const events = await run(spec);
    const evaluations = events.filter((e) => e.type === "evaluate").map((e) => e.metrics.loss ?? NaN);
    const end = events.at(-1);
    assert.equal(end?.type === "end" ? end.metrics.loss : NaN, Math.min(...evaluations));
  });
});

describe("a run refuses", () => {
  const rejects = async (change: Parameters<typeof tinySpec>[0], pattern: RegExp): Promise<void> => {
    const output = await store();
    await assert.rejects(run(tinySpec(change), output), pattern);
    for await (const { key } of output.list("")) assert.fail(`${key} was written`);
  };
  it("an empty data set", () => rejects({ rows: [] }, /no rows/));
  it("an unknown label, naming row and nearest", () =>
    rejects({ rows: [{ text: "a", label: "god" }] }, /row 0.*"god", did you mean "good"/));
  it("a missing column", () =>
    rejects({ rows: [{ txt: "a", label: "good" }] }, /no column "text", did you mean "txt"/));
  it("ids outside the vocabulary", () =>
    rejects({ rows: [{ input_ids: [1, 5000], label: "good" }] }, /input_ids of row 0: expected an id from 0/));
  it("NaN in a regression's number", () =>
    rejects(
      { rows: [{ text: "a", label: NaN }], task: { problemType: "regression", numLabels: 1 } },
      /row 0.*finite number/,
    ));
  it("a config that does not fit the tensors", () =>
    rejects({ config: { intermediate_size: 99 } }, /dims.*but the config asks for/));
});

describe("a run takes", () => {
  it("a single row", async () =>
    assert.equal(
      steps(await run(tinySpec({ rows: [{ text: "good film", label: "good" }], training: { maxSteps: 2 } }))).length,
      2,
    ));
  it("rows of one label", async () => {
    const rows = Array.from({ length: 6 }, () => ({ text: "good film", label: "good" }));
    assert.ok(losses(await run(tinySpec({ rows, training: { maxSteps: 3 } }))).every(Number.isFinite));
  });
});

describe("what rows and checkpoint leave open", () => {
  const rows = [{ text: "a good film", label: "1" }, { text: "awful food", label: "0" }, {
    text: "dull",
    label: "bad",
  }];

  it("a class may be a number written as text, as in CSV, a number of a regression too", async () => {
    const numbers = rows.map(({ text, label }) => ({ text, label: label === "bad" ? 0 : Number(label) }));
    assert.deepEqual(losses(await run(tinySpec({ rows }))), losses(await run(tinySpec({ rows: numbers }))));
    const scored = (label: Json): Named<Json> =>
      tinySpec({ rows: [{ text: "a good film", label }], task: { problemType: "regression", numLabels: 2 } });
    assert.deepEqual(losses(await run(scored(["-1.5e-1", "2"]))), losses(await run(scored([-0.15, 2]))));
    await assert.rejects(run(scored(["much", 1])), /row 0, column "label": expected 2 finite numbers but found/);
    await assert.rejects(run(tinySpec({ rows: [{ text: "fun", label: "2" }] })), /unknown label "2" Allowed/);
    const named = tinySpec({ rows: [{ text: "fun", label: "1" }], task: { labels: ["1", "2"] } });
    const first = tinySpec({ rows: [{ text: "fun", label: 1 }], task: { labels: ["1", "2"] } });
    assert.deepEqual(losses(await run(named)), losses(await run(first)), "a name comes before a number");
    const place = tinySpec({ rows: [{ text: "fun", label: 0 }], task: { labels: ["1", "2"] } });
    await assert.rejects(run(place), /unknown label 0 Allowed/);
  });

  it("a checkpoint's id2label names the classes that the task does not", async () => {
    const id2label = { 0: "good", 1: "bad" };
    const fromNames = losses(await run(tinySpec({ task: { labels: ["good", "bad"] } })));
    assert.deepEqual(losses(await run(tinySpec({ task: {}, config: { id2label } }))), fromNames);
    await assert.rejects(run(tinySpec({ task: { numLabels: 2 }, config: { id2label } })), /LABEL_1/);
    const { task: _, data = null, ...rest } = tinySpec({ config: { id2label } });
    const several = { use: "multi-task", with: { tasks: { one: { task: "sequence-classification", data } } } };
    assert.equal(losses(await run({ ...rest, task: several })).length, fromNames.length);
  });

  it("several labels are names, numbers, or a 0 or 1 for each class", async () => {
    const lossesWith = async (labels: Json, row: Named<Json> = { text: "a good film" }): Promise<readonly number[]> =>
      losses(await run(tinySpec({ rows: [{ ...row, labels }], task: { problemType: "multi-label", numLabels: 2 } })));
    assert.deepEqual(await lossesWith([0, 0]), await lossesWith([]));
    assert.deepEqual(await lossesWith([1, 1]), await lossesWith(["LABEL_0", "LABEL_1"]));
    assert.deepEqual(await lossesWith([1]), await lossesWith(["LABEL_1"]));
    assert.deepEqual(await lossesWith([0, 1]), await lossesWith(["LABEL_1"]));
    const ready = { input_ids: [2, 5, 3] };
    assert.deepEqual(await lossesWith([0, 1], ready), await lossesWith(["LABEL_1"], ready));
    await assert.rejects(
      lossesWith(["LABEL_1", "LABEL_1", 0]),
      /labels without repeats, or a 0 or 1 for each of 2 in every row but found/,
    );
  });

  it("metricForBestModel is one that is evaluated, and there is something to train on", async () => {
    const training = { evalStrategy: "epoch", metricForBestModel: "f1" };
    await assert.rejects(run(tinySpec({ training })), {
      code: "UNKNOWN_NAME",
      path: "training.metricForBestModel",
      allowed: ["loss", "accuracy", "f1_macro"],
    });
    const spec = tinySpec();
    const { eval: held = null } = spec.data as Named<Json>;
    await assert.rejects(run({ ...spec, data: { eval: held } }), { code: "MISSING", path: "data.train" });
  });
});
