/** Plans: what a run will take, before it starts. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { encodeRows, trainData } from "../../../core/run/rows/data.ts";
import { openTasks } from "../../../core/run/open/open.ts";
import { layOut, plainLayout } from "../../../core/loop/layout.ts";
import { createTaskEngine } from "../../../core/run/plan/engine.ts";
import { checkFits } from "../../../core/run/plan/fits.ts";
import { planOf, planRun } from "../../../core/run/plan/plan.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import { sizeOf } from "../../../core/base/tensor.ts";
import type { Json, Named, Plan, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinySpec, tinyWeights } from "../../tiny.ts";

const planned = async (spec: Named<Json>): Promise<Plan> =>
  await planRun(compose(spec as unknown as RunSpec, catalog), tinyHost(await hostHere(1)));

it("counts parameters, and work that grows with the number of steps", async () => {
  const all = Object.values(tinyWeights()).reduce((n, tensor) => n + sizeOf(tensor.dims), 0);
  const full = await planned(tinySpec());
  assert.deepEqual([full.fits, full.trainableParameters, full.totalParameters], [true, all, all]);
  assert.equal(full.bytes.optimizerState, 2 * 4 * all);
  const longer = await planned(tinySpec({ training: { maxSteps: 12 } }));
  const ratio = (part: string): number => (longer.work[part]?.flops ?? NaN) / (full.work[part]?.flops ?? NaN);
  for (const part of ["layers", "head", "backward"]) assert.ok(Math.abs(ratio(part) - 2) < 1e-9, part);
  assert.equal(ratio("evaluation"), 1);
  assert.equal(Object.values(full.work).reduce((n, { flops }) => n + flops, 0), full.flops);
  const lora = await planned(tinySpec({ adapter: { use: "lora", with: { r: 2 } } }));
  // Two layers' queries and values, A and B of rank 2, and the classifier.
  assert.equal(lora.trainableParameters, 2 * 2 * 2 * (16 * 2) + 2 * 16 + 2);
  assert.ok(lora.flops < full.flops);
});

it("plans models of any depth", async () => {
  const config = { num_hidden_layers: 400 };
  const deep = await planned({ ...tinySpec(), model: { use: "random", with: { path: "tiny:model", config } } });
  const flat = await planned({ ...tinySpec(), model: { use: "random", with: { path: "tiny:model" } } });
  assert.equal((deep.totalParameters - flat.totalParameters) % 398, 0, "398 layers more");
});

it("counts what regularizers hold and compute", async () => {
  const all = Object.values(tinyWeights()).reduce((n, tensor) => n + sizeOf(tensor.dims), 0);
  const data = { use: "memory", with: { rows: [{ text: "a film", label: "good" }] } };
  const withThem = async (...regularizers: Json[]) => await planned({ ...tinySpec(), regularizers });
  assert.equal((await withThem("l2-sp")).bytes.regularizers, 4 * all);
  assert.equal((await withThem({ use: "ewc", with: { data } })).bytes.regularizers, 2 * 4 * all);
  const [plain, twice] = [await withThem(), await withThem("r-drop")];
  assert.equal(plain.bytes.regularizers, undefined);
  // Without dropout both passes are one.
  assert.equal(twice.flops, plain.flops);
  const dropped = { ...tinySpec({ dropout: 0.1 }) };
  const ratio = (await planned({ ...dropped, regularizers: ["r-drop"] })).flops / (await planned(dropped)).flops;
  assert.ok(ratio > 1.9 && ratio < 2.1, `${ratio}`);
});

it("says of rows that are read one by one what it says of rows that are held", async () => {
  const rows = Array.from({ length: 700 }, (_, i) => ({ text: "a film ".repeat(1 + (i * 7) % 5), label: "good" }));
  const data = { use: "memory", with: { rows } };
  const spec = { ...tinySpec({ training: { perDeviceTrainBatchSize: 3 } }), data: { train: data, eval: data } };
  const [run, host] = [compose(spec as unknown as RunSpec, catalog), tinyHost(await hostHere(1))];
  const tasks = [];
  for (const open of await openTasks(run, host)) {
    const encoded = await encodeRows(open, trainData(open), true);
    tasks.push({ open, train: encoded, evalRows: encoded });
  }
  assert.deepEqual(await planRun(run, host), (await planOf(run, host, tasks)).plan);
});

/** Rows whose batches are so large that only a plan can tell whether a run of them fits into a gigabyte. */
const largeBatches = (regularizers: Json[] = []): Named<Json> => {
  const rows = Array.from({ length: 700 }, (_, i) => ({ text: "a film ".repeat(1 + i % 5), label: "good" }));
  const training = { perDeviceTrainBatchSize: 512, maxSteps: 2, rowSharing: false };
  return { ...tinySpec({ rows, training, dropout: 0.1 }), regularizers };
};

it("hands the run the training program that it was made of", async () => {
  const host = { ...tinyHost(await hostHere(1)), memoryBytes: 1e9 };
  for (const [regularizers, count] of [[[], 1], [["r-drop"], 1], [["l2-sp"], 0]] as const) {
    const run = compose(largeBatches([...regularizers]) as unknown as RunSpec, catalog);
    const tasks = [];
    for (const open of await openTasks(run, host)) {
      tasks.push({ open, train: await encodeRows(open, trainData(open), true), evalRows: undefined });
    }
    const built = await checkFits(run, host, tasks);
    const programs = built.flatMap((one) => one?.program ?? []);
    assert.equal(programs.length, count, String(regularizers));
    const engine = await createTaskEngine(tasks, built);
    if (count > 0) assert.equal(engine.program(), programs[0]);
    await engine.close();
  }
});

it("changes no number of the run that goes on with what it has built", async () => {
  const here = tinyHost(await hostHere(1));
  const steps = async (memoryBytes: number): Promise<unknown[]> => {
    const events = [];
    const run = compose(largeBatches() as unknown as RunSpec, catalog);
    for await (const event of trainRun(run, { ...here, memoryBytes }, {})) {
      if (event.type === "step") events.push([event.loss, event.gradNorm]);
    }
    return events;
  };
  const planned = await steps(1e9);
  assert.equal(planned.length, 2);
  assert.deepEqual(planned, await steps(1e15));
});

it("refuses batches that nothing has room for", async () => {
  const data = Int32Array.of(1);
  const sample = {
    sequences: [{ length: 1, fields: { input_ids: { axis: "token", data, padValue: 0 } } }],
    targets: {},
    row: 0,
  } as const;
  const layout = { ...plainLayout, padToLength: 2 ** 25 };
  assert.throws(() => layOut([sample], layout), /a batch: at most 16777216 places .*, found 33554432/);
  await assert.rejects(planned(tinySpec({ training: { perDeviceTrainBatchSize: 65_537 } })), /from 1 to 65536/);
});
