/**
 * Distillation: a student with the teacher's weights has nothing to learn, another one learns, and outputs are cached.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { addTeacherTargets } from "../../../core/run/evaluate/teacher.ts";
import { predictRows } from "../../../core/run/evaluate/infer.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { planRun } from "../../../core/run/plan/plan.ts";
import { encodeRows } from "../../../core/run/rows/data.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Host, Ort, RunSpec, Teacher, TrainingEvent } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/data/memory.ts";
import { memory as memoryStore } from "../../../plugins/stores/memory.ts";
import { directoryStore } from "../../../runtimes/host/directory_store.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinyRows, tinySpec } from "../../tiny.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-teacher-"));
after(() => rmSync(folder, { recursive: true }));
const words = "the a film food phone was is very good bad great awful nice poor and but not fun dull".split(" ");
const host = tinyHost(await hostHere(1));
const teacher = tinySpec().model as RunSpec["model"];
const comparisons = { embeddings: { weight: 100 }, hiddenStates: { layers: [[1, 1], [2, 2]] } };

function spec(model: RunSpec["model"], options: object, training: object = {}): RunSpec {
  const task = { use: "distillation", with: { teacher, ...options } };
  return { ...tinySpec({ training: { maxSteps: 4, ...training } }), model, task, metrics: [] } as unknown as RunSpec;
}

async function losses(of: RunSpec, on: Host = host): Promise<number[]> {
  const found: number[] = [];
  for await (const event of trainRun(compose(of, catalog), on, {})) {
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

/** A host that counts the sessions which are opened, with a cache of the user's or none. */
function counted(folder?: string): Readonly<{ host: Host; sessions: () => number }> {
  const { cache: _, ...plain } = host;
  const { lib } = host as { lib: Ort };
  let opened = 0;
  const create: typeof lib.InferenceSession.create = (...given) => (opened++, lib.InferenceSession.create(...given));
  const own = { ...plain, lib: { ...lib, Tensor: lib.Tensor, InferenceSession: { create } } };
  return { host: folder === undefined ? own : { ...own, cache: directoryStore(folder) }, sessions: () => opened };
}

const filesIn = (folder: string): string[] =>
  (existsSync(folder) ? readdirSync(folder, { recursive: true }) : []).map(String).sort();

it("the teacher's outputs are computed once and read again, from the user's cache or a folder of their own", async () => {
  const users = join(folder, "users");
  for (
    const [named, used, kept] of [[undefined, users, users], [
      join(folder, "own"),
      undefined,
      join(folder, "own"),
    ]] as const
  ) {
    const first = counted(used);
    const before = await losses(spec(teacher, { ...comparisons, cache: named }), first.host);
    const written = filesIn(kept);
    assert.ok(written.some((name) => name.startsWith(join("samples", ""))), written.join());
    const again = counted(used);
    assert.deepEqual(await losses(spec(teacher, { ...comparisons, cache: named }), again.host), before);
    assert.deepEqual(filesIn(kept), written);
    // The student's alone.
    assert.equal(again.sessions(), first.sessions() - 1);
  }
});

it("the teacher's outputs are the same to the bit whether they are kept in memory, on disk, in damaged files or nowhere", async () => {
  const rows = Array.from(
    { length: 300 },
    (_, i) => ({
      text: Array.from({ length: 1 + i % 23 }, (_, k) => words[(i + k * k) % words.length]).join(" "),
      label: "good",
    }),
  );
  const places = Array.from({ length: 90 }, (_, i) => (i * 131) % rows.length);
  const disk = join(folder, "disk");
  const notes: string[] = [];
  const told = async (used: string | undefined, memoryBytes?: number) => {
    const { host, sessions } = counted(used);
    const open = await openRun(compose(spec(teacher, { ...comparisons, cache: undefined }), catalog), host);
    const encoded = await encodeRows(open, memory({ rows }), true);
    const own = await addTeacherTargets(open, open.task.teacher as Teacher, encoded, { memoryBytes });
    const samples = [...await own.samples(places, 0), ...await own.samples(places.toReversed(), 1)];
    await own.close?.();
    notes.push(own.notes.join());
    return { samples, sessions: sessions() };
  };
  const inMemory = await told(undefined);
  assert.equal(inMemory.sessions, 1);
  const states = inMemory.samples[3]?.sequences[0]?.fields["teacher.hiddenStates.2"];
  assert.equal(states?.data.length, 16 * (inMemory.samples[3]?.sequences[0]?.length ?? 0));
  assert.ok(inMemory.samples[3]?.targets["teacher.embedding"]?.data.some((x) => Math.abs(x) > 0.01));
  // Few have room, and none: the session that computed before the first step is opened again.
  for (const bytes of [100_000, 0]) {
    assert.deepEqual(await told(undefined, bytes), { ...inMemory, sessions: 2 }, `${bytes}`);
  }
  assert.match(notes[1] ?? "", /the teacher's outputs for \d+ of 300 samples have no room in memory.*in each epoch/);
  assert.match(notes[2] ?? "", /for 300 of 300 samples/);
  assert.deepEqual(await told(disk, 0), inMemory);
  assert.deepEqual(await told(disk, 0), { ...inMemory, sessions: 0 });
  assert.deepEqual([notes[0], ...notes.slice(3)], ["", "", ""]);
  for (const path of filesIn(disk).map((name) => join(disk, name)).filter((path) => statSync(path).isFile())) {
    const bytes = readFileSync(path);
    bytes.fill(7, 2000, 40_000);
    writeFileSync(path, bytes);
  }
  const { samples, sessions } = await told(disk, 0);
  assert.deepEqual(samples, inMemory.samples);
  assert.equal(sessions, 1);
});

it("a plan has the teacher say what it needs to know, and no more", async () => {
  const words = Array.from(
    { length: 2000 },
    (_, i) => ({ text: `a good film ${"very ".repeat(i % 9)}`, label: "good" }),
  );
  const run = compose(
    { ...spec(teacher, comparisons), data: { train: { use: "memory", with: { rows: words } } } } as never,
    catalog,
  );
  const { host, sessions } = counted();
  let told = 0;
  const lib = host.lib as Ort;
  const create: typeof lib.InferenceSession.create = async (...given) => {
    const session = await lib.InferenceSession.create(...given);
    return { ...session, release: () => session.release(), run: (...feeds) => (told++, session.run(...feeds)) };
  };
  const plan = await planRun(run, { ...host, lib: { ...lib, Tensor: lib.Tensor, InferenceSession: { create } } });
  assert.ok((plan.bytes.activations ?? 0) > 0);
  assert.equal(sessions(), 1);
  assert.ok(told > 0 && told < 20, `${told} batches of the teacher's`);
});

it("a run of further epochs that goes on without what was kept goes on with the same losses", async () => {
  const training = { maxSteps: 12, saveStrategy: "steps", saveSteps: 5, perDeviceTrainBatchSize: 4 };
  const student = { use: "random", with: { path: "tiny:model", config: { num_hidden_layers: 2 } } };
  const whole = spec(student, { ...comparisons, cache: undefined }, training);
  const expected = await losses(whole, counted(join(folder, "epochs")).host);
  assert.deepEqual(await losses(whole, counted().host), expected);
  const output = await memoryStore().open(host);
  const events: TrainingEvent[] = [];
  for await (const event of trainRun(compose(whole, catalog), counted(join(folder, "cut")).host, { output })) {
    events.push(event);
    if (event.type === "checkpoint" && event.step === 10) break;
  }
  rmSync(join(folder, "cut"), { recursive: true });
  const rest: number[] = [];
  for await (const event of trainRun(compose(whole, catalog), counted().host, { output, resume: true })) {
    if (event.type === "step") rest.push(event.loss);
  }
  assert.ok(rest.length >= 2 && rest.length < 12);
  assert.deepEqual(rest, expected.slice(-rest.length));
});

it("a smaller student learns the teacher's sentence embeddings", async () => {
  const student = { use: "random", with: { path: "tiny:model", config: { num_hidden_layers: 1 } } };
  const trained = await losses(spec(student, { embeddings: { weight: 16 } }, { maxSteps: 60, learningRate: 0.01 }));
  const mean = (x: number[]): number => x.reduce((a, b) => a + b, 0) / x.length;
  assert.ok(mean(trained.slice(-6)) < 0.5 * mean(trained.slice(0, 6)), trained.join(" "));
});

it("sentence embeddings have length 1 and do not depend on their neighbours", async () => {
  const open = await openRun(compose(spec(teacher, comparisons), catalog), host);
  const vectors = async (rows: typeof tinyRows): Promise<number[][]> => {
    const vectors: number[][] = [];
    for await (const { embedding } of predictRows(open, memory({ rows }))) vectors.push(embedding as number[]);
    return vectors;
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
