/**
 * Distillation: a student with the teacher's weights has nothing to learn, another one learns, and outputs are cached.
 * @module
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { predictRows } from "../../../core/run/evaluate/infer.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/data/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinyRows, tinySpec } from "../../tiny.ts";

const cache = mkdtempSync(join(tmpdir(), "attune-teacher-"));
after(() => rmSync(cache, { recursive: true }));
const host = tinyHost(await hostHere(1));
const teacher = tinySpec().model as RunSpec["model"];
const comparisons = { embeddings: { weight: 100 }, hiddenStates: { layers: [[1, 1], [2, 2]] } };

function spec(model: RunSpec["model"], options: object, training: object = {}): RunSpec {
  const task = { use: "distillation", with: { teacher, cache, ...options } };
  return { ...tinySpec({ training: { maxSteps: 4, ...training } }), model, task, metrics: [] } as unknown as RunSpec;
}

async function losses(of: RunSpec): Promise<number[]> {
  const found: number[] = [];
  for await (const event of trainRun(compose(of, catalog), host, {})) {
    if (event.type === "step") found.push(event.loss);
  }
  return found;
}

it("a student with its teacher's weights starts with no loss, whether rows are shared or padded", async () => {
  for (const rowSharing of [true, false]) {
    const [first] = await losses(spec(teacher, comparisons, { rowSharing }));
    assert.ok(first !== undefined && first < 1e-9, String(first));
  }
});

it("the teacher's outputs are computed once and read again", async () => {
  const before = readdirSync(cache);
  assert.equal(before.length, 1); // the rows of training and evaluation are the same
  await losses(spec(teacher, comparisons));
  assert.deepEqual(readdirSync(cache), before);
});

it("a smaller student learns the teacher's sentence embeddings", async () => {
  const student = { use: "random", with: { path: "tiny:model", config: { num_hidden_layers: 1 } } };
  const found = await losses(spec(student, { embeddings: { weight: 16 } }, { maxSteps: 60, learningRate: 0.01 }));
  const mean = (x: number[]): number => x.reduce((a, b) => a + b, 0) / x.length;
  assert.ok(mean(found.slice(-6)) < 0.5 * mean(found.slice(0, 6)), found.join(" "));
});

it("sentence embeddings have length 1 and do not depend on their neighbours", async () => {
  const open = await openRun(compose(spec(teacher, comparisons), catalog), host);
  const vectors = async (rows: typeof tinyRows): Promise<number[][]> => {
    const found: number[][] = [];
    for await (const { embedding } of predictRows(open, memory({ rows }))) found.push(embedding as number[]);
    return found;
  };
  const together = await vectors(tinyRows.slice(0, 5));
  for (const [i, vector] of together.entries()) {
    assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5);
    const [alone = []] = await vectors(tinyRows.slice(i, i + 1));
    vector.forEach((x, k) => assert.ok(Math.abs(x - (alone[k] ?? NaN)) < 1e-5));
  }
});

it("logits of a task are compared beside its labels", async () => {
  const task = { use: "sequence-classification", with: { labels: ["bad", "good"] } };
  const names: string[][] = [];
  const both = spec(teacher, { task, logits: { weight: 2 }, embeddings: undefined });
  for await (const event of trainRun(compose(both, catalog), host, {})) {
    if (event.type !== "step") continue;
    names.push(Object.keys(event.losses));
    // The student's logits are the teacher's at first: only the labels' loss is there.
    if (event.step === 1) assert.ok(Math.abs(event.losses.logits1 ?? NaN) < 1e-6, JSON.stringify(event.losses));
  }
  assert.deepEqual(names[0], ["logits", "logits1"]);
});

it("nothing to compare is refused", () => {
  assert.throws(() => compose(spec(teacher, {}), catalog), /at least one of embeddings, hiddenStates and logits/);
});
