import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Json, Named } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { run } from "./runs.ts";
import { sampled } from "../../sampled.ts";
import { startWeights } from "../../tiny_run.ts";

const training = { learningRate: 0.005, maxSteps: 3, trainSamplingStrategy: "sequential" };
/** What a member needs to say so that its groups may have rates, or that its state is in 8 bits on a tiny model too. */
const options: Named<Named<Json>> = {
  adafactor: { relativeStep: false },
  "adamw-8bit": { min8bitSize: 0, blockSize: 16 },
};
const still = "bert.encoder.layer.0.output.dense.weight";

for (const use of sampled(Object.keys(catalog.optimizer ?? {}))) {
  const option = options[use] ?? {};
  const groups = [{ pattern: "layer\\.0\\.output", lrScale: 0, weightDecay: 0 }];
  const grouped: Json = use === "ema"
    ? { use, with: { optimizer: { use: "adamw", with: { groups } } } }
    : { use, with: { ...option, groups } };

  describe(`optimizer ${use} in a run`, () => {
    it("two half batches are one whole one", async () => {
      const whole = await run({ use, with: option }, training);
      const halves = await run({ use, with: option }, {
        ...training,
        perDeviceTrainBatchSize: 4,
        gradientAccumulationSteps: 2,
      });
      whole.losses.forEach((loss, i) =>
        assert.ok(Math.abs(loss - (halves.losses[i] ?? NaN)) < 1e-4, `${halves.losses}`)
      );
      assert.notEqual(whole.losses[0], whole.losses[2]);
    });
    it("a group without a rate stays where it is, all others move", async () => {
      const { weights } = await run(grouped, training);
      assert.deepEqual(weights[still], startWeights[still]);
      assert.notDeepEqual(weights["classifier.weight"], startWeights["classifier.weight"]);
    });
  });
}
