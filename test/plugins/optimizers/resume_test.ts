import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Json } from "../../../core/types.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { run } from "./runs.ts";
import { sampled } from "../../sampled.ts";

const optimizers: readonly Json[] = [
  { use: "ema", with: { optimizer: "lion", decay: 0.9 } },
  { use: "schedule-free-adamw", with: { weightDecay: 0.1 } },
  { use: "adafactor", with: { relativeStep: false } },
  { use: "adamw-8bit", with: { min8bitSize: 0, blockSize: 16, weightDecay: 0.1 } },
  "muon",
  { use: "lamb", with: { groups: [{ pattern: "layer.0", lrScale: 2 }] } },
];
describe("a run resumes to the same bits with", () => {
  for (const optimizer of sampled(optimizers)) {
    it(JSON.stringify(optimizer), async () => {
      const training = { learningRate: 0.005, maxSteps: 5, evalStrategy: "steps", evalSteps: 2 };
      const straight = await run(optimizer, training);
      const output = await memory().open(await hostHere(1));
      const first = await run(optimizer, training, { output, stopAt: 2 });
      const second = await run(optimizer, training, { output, resume: true });
      assert.deepEqual([...first.losses, ...second.losses], straight.losses);
      assert.deepEqual(second.weights, straight.weights);
    });
  }
});
