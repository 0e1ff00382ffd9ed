import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { run } from "./runs.ts";

const near = (a: ArrayLike<number> | undefined, b: ArrayLike<number> | undefined, tolerance = 1e-6): void => {
  assert.ok(a && b && a.length === b.length && a.length > 0);
  for (let i = 0; i < a.length; i++) {
    assert.ok(Math.abs((a[i] ?? NaN) - (b[i] ?? NaN)) <= tolerance, `${i}: ${a[i]} and ${b[i]}`);
  }
};

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
    const own = await run(ema(0.5), { ...training, maxSteps: 3, evalStrategy: "steps", evalSteps: 1 });
    assert.deepEqual(own.losses, third.losses);
    assert.ok(Math.abs((own.evaluated[0] ?? 0) - (third.evaluated[0] ?? 1)) < 1e-6, "the first average is the weights");
    assert.notDeepEqual(own.evaluated.slice(1), third.evaluated.slice(1));
    for (const [name, weights] of Object.entries(own.weights)) {
      const [a, b, c] = [first, second, third].map((r) => r.weights[name] as Float32Array) as Float32Array[];
      near(weights, a?.map((w, i) => 0.25 * w + 0.25 * (b?.[i] ?? 0) + 0.5 * (c?.[i] ?? 0)));
    }
  });

  it("of the best evaluation come back at the end", async () => {
    const best = { evalStrategy: "steps", evalSteps: 1, loadBestModelAtEnd: true };
    const own = await run(ema(0.5), { learningRate: 0.3, maxSteps: 4, ...best });
    const lowest = Math.min(...own.evaluated);
    assert.equal(own.evaluated.at(-1), lowest, `${own.evaluated}`);
  });
});
