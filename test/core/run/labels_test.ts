/**
 * What the classes are: the names that a trained head has, in whatever order a spec lists them, and those of the rows where
 * nobody names any.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { evaluateRun } from "../../../core/run/evaluate/evaluate.ts";
import { predictRows } from "../../../core/run/evaluate/infer.ts";
import { openRun, openTasks } from "../../../core/run/open/open.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Host, Json, Named, Row, RunSpec, Store, TrainingEvent } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinyRows, tinySpec } from "../../tiny.ts";
import { allNear } from "../../near.ts";
import { collect } from "../../../core/base/collect.ts";

const host = tinyHost(await hostHere(1));
const composed = (spec: object): ReturnType<typeof compose> => compose(spec as RunSpec, catalog);

async function trained(spec: object, output?: Store, at: Host = host): Promise<TrainingEvent[]> {
  return await collect(trainRun(composed(spec), at, { output }));
}
const losses = (events: readonly TrainingEvent[]): number[] =>
  events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
const warnings = (events: readonly TrainingEvent[]): string[] =>
  events.flatMap((event) => (event.type === "warning" && event.code === "CLASSES" ? [event.message] : []));

async function evaluated(spec: object): Promise<Named<number>> {
  const open = await openRun(composed(spec), host);
  return open.data.eval ? await evaluateRun(open, open.data.eval) : {};
}

const written = async (store: Store, key: string): Promise<Named<Json>> =>
  JSON.parse(new TextDecoder().decode((await store.get(key))?.bytes));

describe("labels in another order than the trained head's", () => {
  const config = { id2label: { 0: "good", 1: "bad" } };
  const training = { maxSteps: 3 };
  const of = (labels: readonly string[], more: Named<Json> = {}): Named<Json> => ({
    ...tinySpec({ config, training, task: { labels: [...labels] } }),
    ...more,
  });
  const weighted = (weight: readonly number[]): Named<Json> => ({
    loss: { use: "cross-entropy", with: { weight: [...weight] } },
  });

  it("name the same rows of the head", async () => {
    assert.deepEqual(await evaluated(of(["bad", "good"])), await evaluated(of(["good", "bad"])));
    allNear(losses(await trained(of(["bad", "good"]))), losses(await trained(of(["good", "bad"]))), 1e-5);
    allNear(
      losses(
        await trained(of(["Bad", "GOOD"], {
          data: {
            train: {
              use: "memory",
              with: {
                rows: tinyRows.map((r) => ({ ...r, label: r.label === "bad" ? "Bad" : "GOOD" })) as unknown as Json,
              },
            },
          },
        })),
      ),
      losses(await trained(of(["good", "bad"]))),
      1e-5,
    );
  });

  it("keep their numbers, weights and metrics", async () => {
    const one = of(["bad", "good"], weighted([1, 3]));
    allNear(losses(await trained(one)), losses(await trained(of(["good", "bad"], weighted([3, 1])))), 1e-5);
    const numbers = tinyRows.map((row) => ({ ...row, label: row.label === "good" ? 1 : 0 })) as unknown as Json;
    const data = { eval: { use: "memory", with: { rows: numbers } } };
    assert.deepEqual(await evaluated(of(["bad", "good"], { data })), await evaluated(of(["bad", "good"])));
  });

  it("are saved in the head's order, and open again", async () => {
    const output = await memory().open(host);
    await trained(of(["bad", "good"]), output);
    assert.deepEqual((await written(output, "model/config.json")).id2label, { 0: "good", 1: "bad" });
    const other = await memory().open(host);
    await trained(of(["good", "bad"]), other);
    assert.deepEqual(await written(output, "metrics.json"), await written(other, "metrics.json"));
  });

  it("of several labels, and of tags", async () => {
    const rows = tinyRows.map(({ text, label }) => ({ text, labels: label === "good" ? ["good"] : [] }));
    const several = (labels: readonly string[]): object =>
      tinySpec({ config, training, rows, task: { labels: [...labels], problemType: "multi-label" } });
    allNear(losses(await trained(several(["bad", "good"]))), losses(await trained(several(["good", "bad"]))), 1e-5);
    const tagged = tinyRows.map(({ text, label }) => ({
      tokens: String(text).split(" "),
      tags: String(text).split(" ").map((_, i) => (i % 2 === 0 ? label : "bad")),
    }));
    const tags = (labels: readonly string[]): object => ({
      ...tinySpec({ config, training, rows: tagged }),
      task: { use: "token-classification", with: { labels } },
    });
    allNear(losses(await trained(tags(["bad", "good"]))), losses(await trained(tags(["good", "bad"]))), 1e-5);
    const first = async (labels: readonly string[]): Promise<Json | undefined> => {
      const open = await openRun(composed(tags(labels)), host);
      for await (const { tags } of predictRows(open, open.run.data.eval as never)) return tags;
      return undefined;
    };
    assert.deepEqual(await first(["bad", "good"]), await first(["good", "bad"]));
  });

  it("of a teacher", async () => {
    const teacher = (names: Named<string>): Json => ({
      use: "pretrained",
      with: { path: "tiny:model", config: { id2label: names } },
    });
    const student = { use: "random", with: { path: "tiny:model", config: { num_hidden_layers: 1 } } };
    const of = (names: Named<string>, labels: readonly string[]): object => ({
      ...tinySpec({ training }),
      model: student,
      task: {
        use: "distillation",
        with: {
          teacher: teacher(names),
          task: { use: "sequence-classification", with: { labels } },
          logits: { temperature: 2 },
          taskWeight: 0,
        },
      },
    });
    const right = losses(await trained(of({ 0: "bad", 1: "good" }, ["bad", "good"])));
    // The same head under names that change places teaches the opposite of each row.
    const turned = losses(await trained(of({ 0: "good", 1: "bad" }, ["bad", "good"])));
    assert.ok(Math.abs((right[0] ?? 0) - (turned[0] ?? 0)) > 1e-4);
    allNear(losses(await trained(of({ 0: "LABEL_0", 1: "LABEL_1" }, ["bad", "good"]))), right, 1e-5);
    await assert.rejects(trained(of({ 0: "no", 1: "yes" }, ["bad", "good"])), /teacher: id2label/);
  });

  it("say where the names are others, and refuse a head of the spec's own", async () => {
    const [note = ""] = warnings(
      await trained(of(["happy", "sad"], {
        data: { train: { use: "memory", with: { rows: [{ text: "fun", label: "happy" }] } } },
      })),
    );
    assert.match(note, /trained for other classes, "good", "bad" .* "happy", "sad"/);
    assert.deepEqual(warnings(await trained(of(["good", "bad"]))), []);
    const head = { head: { use: "sequence", with: { numLabels: 2 } } };
    await assert.rejects(
      trained(of(["bad", "good"], head)),
      /task\.with\.labels: expected the order of the checkpoint's id2label/,
    );
  });
});

describe("labels that nobody gave", () => {
  const fresh = { use: "random", with: { path: "tiny:model" } };
  const read = async (task: object, rows: readonly Row[]): Promise<unknown> => {
    const spec = { ...tinySpec({ rows: [...rows] }), model: fresh, task };
    const [open] = await openTasks(composed(spec), host);
    return open?.task.labels;
  };
  const single = "sequence-classification" as unknown as object;
  const labelled = (values: readonly unknown[]): Row[] => values.map((label) => ({ text: "fun", label }));

  it("are those of the training rows, sorted", async () => {
    assert.deepEqual(await read(single, labelled(["good", "bad", "neutral", "bad"])), ["bad", "good", "neutral"]);
    assert.deepEqual(await read(single, labelled([10, 9, 1])), ["1", "9", "10"]);
    assert.deepEqual(await read(single, labelled(["10", "9", "1.0", 1])), ["1", "9", "10"]);
    assert.deepEqual(await read(single, labelled([true, false])), ["false", "true"]);
    const several = { use: "sequence-classification", with: { problemType: "multi-label" } };
    const lists = (values: readonly unknown[]): Row[] => values.map((labels) => ({ text: "fun", labels }));
    assert.deepEqual(await read(several, lists([["b"], ["c", "a"], []])), ["a", "b", "c"]);
    assert.deepEqual(await read(several, lists([[1, 0, 1], [0, 0, 1]])), ["LABEL_0", "LABEL_1", "LABEL_2"]);
    const tags = { use: "token-classification" };
    assert.deepEqual(await read(tags, [{ tokens: ["a", "film"], tags: ["O", "B-X"] }]), ["B-X", "O"]);
    await assert.rejects(read(single, labelled([0.5, 1])), /regression/);
    await assert.rejects(read(single, labelled([null])), /name or number of a class/);
    assert.deepEqual(await read(single, [...labelled(["good", "bad"]), { text: "of no class" }]), ["bad", "good"]);
  });

  it("that are written in two ways are classes of their own, and told", async () => {
    const spec = { ...tinySpec({ rows: labelled(["Good", "good ", "bad"]) }), model: fresh, task: single };
    const [open] = await openTasks(composed(spec), host);
    assert.deepEqual(open?.task.labels, ["Good", "bad", "good "]);
    const notes = open?.task.notes?.join() ?? "";
    assert.match(notes, /"Good", "good " differ in case or white space alone: the transform "clean"/);
  });

  it("are told, and written into the run's spec", async () => {
    const output = await memory().open(host);
    const events = await trained({ ...tinySpec({ task: {} }), model: fresh }, output);
    assert.match(
      warnings(events)[0] ?? "",
      /task\.with\.labels: read from the training rows, 2 classes: "bad", "good"/,
    );
    const spec = await written(output, "spec.json") as { task: { with: { labels: string[] } } };
    assert.deepEqual(spec.task.with.labels, ["bad", "good"]);
    allNear(losses(events), losses(await trained({ ...tinySpec(), model: fresh })), 1e-5);
  });

  it("are each task's own, and those below a teacher", async () => {
    const { data } = tinySpec({ rows: labelled(["x", "y", "z"]) }) as { data: Json };
    const { data: others } = tinySpec() as { data: Json };
    const { task: _, data: __, ...rest } = tinySpec({ training: { maxSteps: 2 } });
    const tasks = {
      one: { task: "sequence-classification", data },
      two: { task: "sequence-classification", data: others },
    };
    const output = await memory().open(host);
    await trained({ ...rest, model: fresh, task: { use: "multi-task", with: { tasks } } }, output);
    const spec = JSON.stringify(await written(output, "spec.json"));
    assert.match(spec, /"labels":\["x","y","z"\]/);
    assert.match(spec, /"labels":\["bad","good"\]/);
    const teacher = { use: "pretrained", with: { path: "tiny:model" } };
    const inner = { teacher, task: "sequence-classification", logits: {} };
    const [open] = await openTasks(
      composed({ ...tinySpec(), model: fresh, task: { use: "distillation", with: inner } }),
      host,
    );
    assert.deepEqual(open?.task.labels, ["bad", "good"]);
  });
});
