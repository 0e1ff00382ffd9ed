import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { near, type Ran, run, startWeights, summed } from "../../tiny_run.ts";

const names = Object.keys(startWeights);
const square = (a: number, b: number): number => (a - b) ** 2;
const distance = ({ weights }: Ran): number =>
  names.reduce((total, name) => total + summed(weights[name] ?? [], startWeights[name] ?? [], square), 0);

describe("l2-sp", () => {
  const regularizers = [{ use: "l2-sp", with: { alpha: 0.4, beta: 0.2 } }];

  it("is half alpha times the squared way from the saved weights", async () => {
    const [plain, one, two] = [
      await run({ training: { maxSteps: 1 } }),
      await run({ training: { maxSteps: 1 }, regularizers }),
      await run({ training: { maxSteps: 2 }, regularizers }),
    ];
    assert.equal(two.losses[0]?.["l2-sp"], 0);
    near(two.losses[1]?.["l2-sp"], 0.2 * distance(one));
    near(two.losses[1]?.total, (two.losses[1]?.logits ?? 0) + (two.losses[1]?.["l2-sp"] ?? 0));
    // At the start it has no slope.
    for (const name of names) near(summed(plain.weights[name] ?? [], one.weights[name] ?? [], square), 0, 1e-12);
  });

  it("is half beta times the square of new weights, as an adapter's", async () => {
    const adapter = [{ use: "lora", with: { r: 2, targetModules: ["query"], modulesToSave: [] } }];
    const training = { maxSteps: 1 };
    const { losses } = await run({ training, regularizers, adapter });
    const { weights } = await run({ training: { maxSteps: 1, learningRate: 0 }, adapter });
    const adapterWeights = Object.entries(weights).filter(([name]) => name.includes("lora_"));
    assert.equal(adapterWeights.length, 4);
    near(losses[0]?.["l2-sp"], 0.1 * adapterWeights.reduce((sum, [, w]) => sum + summed(w, w, (x) => x * x), 0));
  });

  it("keeps weights nearer to where they started, over micro-batches as over one batch", async () => {
    const training = { maxSteps: 20 };
    const pulled = await run({ training, regularizers });
    assert.ok(distance(pulled) < 0.7 * distance(await run({ training })));
    const halves = { ...training, perDeviceTrainBatchSize: 4, gradientAccumulationSteps: 2 };
    near(distance(await run({ training: halves, regularizers })), distance(pulled), 1e-4);
  });
});
