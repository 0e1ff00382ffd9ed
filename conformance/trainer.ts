/** Checks of trainers, with a tiny model. */
import { compose } from "../core/spec/compose.ts";
import type { Json, Named, Run, Store, Trainer, TrainingEvent, TrainOptions } from "../kit.ts";
import { assert } from "./assert.ts";
import { type Bench, memoryStore } from "./bench.ts";
import { type Check, check } from "./check.ts";

/** Returns the checks of a trainer. */
export function trainerChecks(trainer: Trainer, { host, spec, catalog }: Bench): readonly Check[] {
  const run = (training: Named<Json> = {}): Run =>
    compose(spec({}, { maxSteps: 4, saveSteps: 2, ...training }), catalog);
  const events = async (
    output: Store,
    options: TrainOptions = {},
    see: (event: TrainingEvent) => void = () => {},
  ): Promise<TrainingEvent[]> => {
    const all: TrainingEvent[] = [];
    for await (const event of trainer.train(run(), host, { output, ...options })) {
      all.push(event);
      see(event);
    }
    return all;
  };
  const stopped = async (output: Store): Promise<TrainingEvent[]> => {
    const abort = new AbortController();
    return await events(output, { signal: abort.signal }, (event) => {
      if (event.type === "step" && event.step === 2) abort.abort();
    });
  };
  return [
    check("tells in order: start, steps from 1, end, once", async () => {
      const all = await events(memoryStore());
      const types = all.map(({ type }) => type);
      assert.equal(types.filter((type) => type === "start").length, 1, "starts");
      assert.equal(types.filter((type) => type === "end").length, 1, "ends");
      assert.equal(types.at(-1), "end");
      assert.ok(types.indexOf("start") < types.indexOf("step"), "a step before the start");
      assert.deepEqual(all.flatMap((e) => (e.type === "step" ? [e.step] : [])), [1, 2, 3, 4]);
      for (const event of all) if (event.type === "step") assert.ok(Number.isFinite(event.loss), `${event.loss}`);
    }),
    check("ends interrupted between two steps, with a checkpoint", async () => {
      const output = memoryStore();
      const end = (await stopped(output)).at(-1);
      assert.ok(end?.type === "end" && end.reason === "interrupted", `it ended as ${JSON.stringify(end)}`);
      assert.ok([...output.files.keys()].some((key) => key.startsWith("checkpoints/")), "no checkpoint");
    }),
    check("goes on to the same bytes", async () => {
      const [whole, output] = [memoryStore(), memoryStore()];
      await events(whole);
      await stopped(output);
      const rest = await events(output, { resume: true });
      assert.deepEqual(rest.flatMap((e) => (e.type === "step" ? [e.step] : [])), [3, 4]);
      const weights = "model/model.safetensors";
      assert.ok(whole.files.has(weights), `no ${weights}`);
      assert.deepEqual(output.files.get(weights), whole.files.get(weights), weights);
    }),
    check("plans as many steps as it runs", async () => {
      const plan = await trainer.plan(run(), host);
      assert.equal(plan.steps, 4);
      assert.ok(plan.trainableParameters > 0 && plan.trainableParameters <= plan.totalParameters, "its parameters");
      const start = (await events(memoryStore())).find((event) => event.type === "start");
      assert.equal(start?.totalSteps, plan.steps);
      assert.equal(start?.trainableParameters, plan.trainableParameters);
    }),
  ];
}
