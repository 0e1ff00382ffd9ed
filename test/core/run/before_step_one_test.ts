/** What is told before the first step, or at the step where it happens, and not trained past. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { planRun } from "../../../core/run/plan/plan.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Host, Json, Named, RunSpec, Schedule, Store, TrainingEvent } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinyRows, tinySpec } from "../../tiny.ts";
import { allNear } from "../../near.ts";
import { collect } from "../../../core/base/collect.ts";

const host = tinyHost(await hostHere(1));
const composed = (spec: object): ReturnType<typeof compose> => compose(spec as RunSpec, catalog);

async function run(spec: object, output?: Store, at: Host = host): Promise<TrainingEvent[]> {
  return await collect(trainRun(composed(spec), at, { output }));
}
const losses = (events: readonly TrainingEvent[]): number[] =>
  events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
const steps = async (output: Store): Promise<string[]> => {
  const warnings = new Set<string>();
  for await (const { key } of output.list("checkpoints/step")) warnings.add(key.split("/")[1] ?? "");
  return [...warnings].sort();
};

describe("a spec's keys", () => {
  it("that nothing reads are errors", () => {
    for (
      const [key, value] of Object.entries({ store: "memory", trainer: "ort" })
    ) {
      assert.throws(
        () => composed({ ...tinySpec(), [key]: value }),
        new RegExp(`${key}: .* is not supported: nothing reads it yet`),
      );
    }
    composed({ ...tinySpec(), accelerators: [] });
  });
});

describe("memory", () => {
  it("that is not there refuses the run as the plan does", async () => {
    const small = { ...host, memoryBytes: 20_000 };
    assert.equal((await planRun(composed(tinySpec()), small)).fits, false);
    await assert.rejects(run(tinySpec(), undefined, small), { code: "REFUSED" });
    const { bytes: { total = 0 } } = await planRun(composed(tinySpec()), host);
    // Hardly enough is enough.
    assert.equal(losses(await run(tinySpec(), undefined, { ...host, memoryBytes: Math.ceil(total / 0.89) })).length, 6);
  });
});

describe("names of metrics", () => {
  const judged = (metric: string, use = "early-stopping"): Named<Json> => ({
    ...tinySpec({ training: { evalStrategy: "steps", evalSteps: 2 } }),
    callbacks: [{ use, with: { metric } }],
  });

  it("that are none of the task's classes are errors, not of the last evaluation", async () => {
    const rows = tinyRows.map((row, i) => ({ ...row, labels: i % 2 ? ["a"] : ["a", "b"], label: "abc"[i % 3] ?? "" }));
    const dataset = { use: "memory", with: { rows } };
    const classify = (options: Json): Promise<TrainingEvent[]> =>
      run({
        ...tinySpec(),
        model: { use: "pretrained", with: { path: "tiny:model", ignoreMismatchedSizes: true } },
        task: { use: "sequence-classification", with: options },
        data: { train: dataset, eval: dataset },
        metrics: ["f1"],
      });
    await assert.rejects(
      classify({ labels: ["a", "b", "c"] }),
      /average: expected micro, .* since there are 3 classes/,
    );
    await assert.rejects(
      classify({ labels: ["a", "b"], problemType: "multi-label" }),
      /a row may have several classes/,
    );
  });

  it("that no evaluation gives are errors with those that there are", async () => {
    for (const use of ["early-stopping", "best-weights"]) {
      await assert.rejects(
        run(judged("acuracy", use)),
        /callbacks\.0\.with\.metric: unknown metric "acuracy", did you mean "accuracy"\?/,
      );
      await assert.rejects(run(judged("f1", use)), /"loss", "accuracy", "f1_macro"/);
      for (const name of ["loss", "eval_loss", "f1_macro"]) assert.ok((await run(judged(name, use))).length > 0);
    }
    const best = { metricForBestModel: "f1", evalStrategy: "epoch", loadBestModelAtEnd: true };
    await assert.rejects(run(tinySpec({ training: best })), /training\.metricForBestModel: unknown metric "f1"/);
    await assert.rejects(run({ ...judged("x"), callbacks: ["early-stopping"], training: best }), /metricForBestModel/);
  });

  it("of several tasks have the task's name", async () => {
    const { task, data, ...rest } = judged("one_accuracy");
    const several = (metric: string): object => ({
      ...rest,
      callbacks: [{ use: "early-stopping", with: { metric } }],
      task: { use: "multi-task", with: { tasks: { one: { task, data }, two: { task, data } } } },
    });
    for (const name of ["one_accuracy", "two_loss", "loss"]) assert.ok((await run(several(name))).length > 0);
    await assert.rejects(run(several("accuracy")), /"one_accuracy"/);
  });
});

describe("dataloaderDropLast", () => {
  it("with fewer rows than a batch leaves nothing, of any task", async () => {
    const training = { dataloaderDropLast: true, perDeviceTrainBatchSize: 32 };
    const wanted = /training\.dataloaderDropLast: .*24 rows.*batches of 32/;
    await assert.rejects(run(tinySpec({ training })), wanted);
    await assert.rejects(planRun(composed(tinySpec({ training })), host), wanted);
    const { task, data, ...rest } = tinySpec({ training: { ...training, perDeviceTrainBatchSize: 8 } });
    const few = { train: { use: "memory", with: { rows: tinyRows.slice(0, 5) as unknown as Json } } };
    const tasks = { one: { task, data }, two: { task, data: few } };
    await assert.rejects(run({ ...rest, task: { use: "multi-task", with: { tasks } } }), /5 rows of task \\"two\\"/);
  });
});

describe("rates", () => {
  it("of a group are its own where the run's is 0", async () => {
    const grouped = (learningRate: number, pattern: string): Named<Json> =>
      tinySpec({
        training: { learningRate },
        optimizer: { use: "adamw", with: { groups: [{ pattern, learningRate: 0.01 }] } },
      });
    const plain = losses(await run(tinySpec({ training: { learningRate: 0.01 } })));
    allNear(losses(await run(grouped(0, "."))), plain, 1e-6);
    allNear(losses(await run(grouped(0.5, "."))), plain, 1e-6);
    const head = losses(await run(grouped(0, "^classifier")));
    assert.ok(head.every(Number.isFinite) && Math.abs((head.at(-1) ?? 0) - (plain.at(-1) ?? 0)) > 1e-3);
  });

  it("that are no numbers are an error with the schedule's name, and what was trained is saved", async () => {
    const bad: Schedule = { kind: "schedule", name: "odd", options: {}, factor: (step) => (step < 3 ? 1 : NaN) };
    const output = await memory().open(host);
    const spec = { ...tinySpec({ training: { saveStrategy: "no" } }), schedule: bad };
    await assert.rejects(run(spec, output), /schedule "odd" gives NaN for the rate of step 4/);
    assert.deepEqual(await steps(output), ["step-00000003"]);
    const none = {
      ...tinySpec({ training: { learningRate: 0 } }),
      schedule: { use: "cosine-with-min-lr", with: { minLr: 1e-4 } },
    };
    await assert.rejects(run(none), /cosine-with-min-lr.*training\.learningRate is 0/);
  });
});

describe('saveStrategy "best"', () => {
  it("saves the best of the last evaluation, too", async () => {
    const output = await memory().open(host);
    const training = {
      evalStrategy: "steps",
      evalSteps: 4,
      saveStrategy: "best",
      saveTotalLimit: 1,
      learningRate: 0.002,
      maxSteps: 8,
    };
    const events = await run(tinySpec({ training }), output);
    const evaluations = events.flatMap((event) => (event.type === "evaluate" ? [event] : []));
    assert.deepEqual(evaluations.map(({ step, best }) => [step, best]), [[4, true], [8, true]]);
    assert.deepEqual(await steps(output), ["step-00000008"]);
  });
});
