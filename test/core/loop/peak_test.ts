import assert from "node:assert/strict";
import { it } from "node:test";
import { trainLoop } from "../../../core/loop/train.ts";
import { readTrainingArguments } from "../../../core/spec/training_arguments.ts";
import type { Optimizer, TrainingEvent } from "../../../core/types.ts";

it("the machine's peak is measured behind steps 1, 2, 4 and so on, too, and told where it is more than before", async () => {
  const found = [5, 3, 7, 6, 9, NaN];
  let calls = 0;
  const events: TrainingEvent[] = [];
  const seen: string[] = [];
  const steps = 10;
  for await (
    const event of trainLoop({
      engine: {
        trainableParameters: 1,
        totalParameters: 1,
        step: async () => ({
          loss: 1,
          losses: {},
          gradNorm: 1,
          skipped: false,
          overflowed: false,
          multiplyAdds: 1,
        }),
      },
      training: readTrainingArguments({ maxSteps: steps, saveStrategy: "no" }).training,
      optimizer: {} as Optimizer,
      schedule: { kind: "schedule", name: "flat", options: {}, factor: () => 1 },
      callbacks: [{
        kind: "callback",
        name: "watch",
        options: {},
        init: () => 0,
        on: (_, { type }) => ({ state: seen.push(type) }),
      }],
      steps: { perEpoch: steps, total: steps, epochs: 1 },
      rows: { train: steps, eval: 0 },
      batchesOf: async () => [],
      measurePeak: async () => found[calls++],
    })
  ) events.push(event);
  assert.equal(calls, 5);
  const told = events.flatMap((event) =>
    event.type === "start" || event.type === "peak" ? [[event.step, event.peakMultiplyAddsPerSecond]] : []
  );
  assert.deepEqual(told, [[0, 5], [2, 7], [8, 9]]);
  // What a machine can do differs from run to run: callbacks do not see it.
  assert.ok(!seen.includes("peak") && seen.includes("step"));
});
