import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { run } from "./runs.ts";
import { allNear } from "../../near.ts";

describe("averages of weights", () => {
  const ema = (decay: number) => ({
    use: "ema",
    with: { decay, optimizer: { use: "adamw", with: { weightDecay: 0.1 } } },
  });
  const adamw = { use: "adamw", with: { weightDecay: 0.1 } };
  const training = { learningRate: 0.01 };

  it("are what is saved and evaluated; the weights that train go their own way", async () => {
    const [first, second, third] = [
      await run(adamw, { ...training, maxSteps: 1 }),
      await run(adamw, { ...training, maxSteps: 2 }),
      await run(adamw, { ...training, maxSteps: 3, evalStrategy: "steps", evalSteps: 1 }),
    ];
    const averaged = await run(ema(0.5), { ...training, maxSteps: 3, evalStrategy: "steps", evalSteps: 1 });
    assert.deepEqual(averaged.losses, third.losses);
    assert.ok(
      Math.abs((averaged.evaluated[0] ?? 0) - (third.evaluated[0] ?? 1)) < 1e-6,
      "the first average is the weights",
    );
    assert.notDeepEqual(averaged.evaluated.slice(1), third.evaluated.slice(1));
    for (const [name, weights] of Object.entries(averaged.weights)) {
      const [a, b, c] = [first, second, third].map((r) => r.weights[name] as Float32Array) as Float32Array[];
      allNear(weights, a?.map((w, i) => 0.25 * w + 0.25 * (b?.[i] ?? 0) + 0.5 * (c?.[i] ?? 0)), 1e-6);
    }
  });

  it("of the best evaluation come back at the end", async () => {
    const best = { evalStrategy: "steps", evalSteps: 1, loadBestModelAtEnd: true };
    const averaged = await run(ema(0.5), { learningRate: 0.3, maxSteps: 4, ...best });
    const lowest = Math.min(...averaged.evaluated);
    assert.equal(averaged.evaluated.at(-1), lowest, `${averaged.evaluated}`);
  });
});
