/** Checks of tasks, on a tiny model. */
import { evaluateRun } from "../core/run/evaluate/evaluate.ts";
import { predictRows } from "../core/run/evaluate/infer.ts";
import { encodeAll } from "../core/run/rows/data.ts";
import type { Json, Named, Row, Task } from "../kit.ts";
import { assert } from "./assert.ts";
import { type Bench, lossesIn } from "./bench.ts";
import { type Check, check } from "./check.ts";
import { rowsInSpec, tinyRows } from "./tiny/task.ts";

/** Options of a task's checks. */
export type TaskFigures = Readonly<{
  /** Training rows. Default: texts labelled "good" and "bad". */
  rows?: readonly Row[];
  /** The model. Default: a tiny encoder. */
  model?: unknown;
  /** Training arguments, such as the number of steps. */
  training?: Named<Json>;
  /** Whether it predicts one result per row. Default: true. */
  predicts?: boolean;
}>;

/** Returns the checks of a task. */
export function taskChecks(task: Task, figures: TaskFigures, bench: Bench): readonly Check[] {
  const { rows = tinyRows, model = "tiny" } = figures;
  const data = { train: { use: "tiny-rows", with: { rows } }, eval: { use: "tiny-rows", with: { rows } } };
  const spec = { task, model, data };
  return [
    check("its collator, heads, losses and metrics are there, and fit", async () => {
      const open = await bench.open(spec);
      assert.ok(open.heads.length > 0, "no head");
      const samples = await encodeAll(open, rowsInSpec({ rows }), true);
      assert.ok(samples.length > 0, "no samples");
    }),
    check("learns", async () => {
      // A task without losses, which only describes rows, has nothing to learn.
      if (task.subtasks.every(({ losses }) => losses.length === 0)) return;
      const training = { maxSteps: 12, learningRate: 0.05, perDeviceTrainBatchSize: 8, seed: 1, ...figures.training };
      const before = await bench.train(spec, { ...training, evalOnStart: true });
      const evaluations = before.flatMap((event) => (event.type === "evaluate" ? [event.metrics.loss ?? NaN] : []));
      const [first = NaN, last = NaN] = [evaluations[0], evaluations.at(-1)];
      for (const loss of lossesIn(before)) assert.ok(Number.isFinite(loss), `a loss of ${loss}`);
      assert.ok(last < first, `the loss was ${first} before ${training.maxSteps} steps, and is ${last}`);
    }),
    check("its metrics take what it decodes", async () => {
      const open = await bench.open(spec);
      const metrics = await evaluateRun(open, rowsInSpec({ rows }), { untrained: true });
      for (const [name, value] of Object.entries(metrics)) {
        assert.ok(Number.isFinite(value), `${name} is ${value}`);
      }
      if (open.metrics.length > 0) {
        assert.ok(Object.keys(metrics).some((name) => name !== "loss"), "no metric of any row");
      }
    }),
    check("predicts one for each row, in order, as JSON", async () => {
      if (figures.predicts === false) return;
      const predictions: Named<Json>[] = [];
      const open = await bench.open(spec);
      for await (const one of predictRows(open, rowsInSpec({ rows }), { untrained: true })) predictions.push(one);
      assert.equal(predictions.length, rows.length);
      assert.deepEqual(JSON.parse(JSON.stringify(predictions)), predictions);
      const reversed: Named<Json>[] = [];
      const turned = rowsInSpec({ rows: rows.toReversed() });
      for await (const one of predictRows(open, turned, { untrained: true })) reversed.push(one);
      const text = (one: Named<Json> | undefined): string =>
        JSON.stringify(one, (_, value) => (typeof value === "number" ? Number(value.toPrecision(3)) : value));
      assert.deepEqual(reversed.toReversed().map(text), predictions.map(text), "of the rows the other way round");
    }),
  ];
}
