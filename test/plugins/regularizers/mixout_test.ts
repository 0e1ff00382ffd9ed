import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { near, run, startWeights } from "../../tiny_run.ts";

const names = Object.keys(startWeights);

describe("mixout", () => {
  const regularizers = [{ use: "mixout", with: { p: 0.75 } }];

  it("begins where it is, trains a share of 1 - p of the weights of a step, grown by 1 / (1 - p)", async () => {
    const training = { maxSteps: 1 };
    const [plain, mixed] = [await run({ training }), await run({ training, regularizers })];
    near(mixed.losses[0]?.logits, plain.losses[0]?.logits ?? NaN, 1e-6);
    let [moved, all] = [0, 0];
    for (const name of names.filter((n) => /(dense|query|key|value|classifier)\.weight$/.test(n))) {
      const [a, b, from] = [plain.weights[name], mixed.weights[name], startWeights[name]];
      for (let i = 0; i < (from?.length ?? 0); i++) {
        const [free, mixedMove] = [(a?.[i] ?? NaN) - (from?.[i] ?? NaN), (b?.[i] ?? NaN) - (from?.[i] ?? NaN)];
        if (Math.abs(free) < 1e-6) continue;
        all++;
        if (mixedMove === 0) continue;
        moved++;
        assert.ok(
          Math.abs(mixedMove - 4 * free) < 1e-6 + 1e-3 * Math.abs(mixedMove),
          `${name} ${i}: ${mixedMove} and ${free}`,
        );
      }
    }
    assert.ok(all > 1000 && Math.abs(moved / all - 0.25) < 0.04, `${moved} of ${all}`);
  });

  it("draws other weights in each step, the same in each run, and none in evaluation", async () => {
    const training = { maxSteps: 3 };
    const [a, b, free] = [
      await run({ training, regularizers }),
      await run({ training, regularizers }),
      await run({ training }),
    ];
    assert.deepEqual(a.losses, b.losses);
    assert.notEqual(a.losses[2]?.logits, free.losses[2]?.logits);
    const still = { maxSteps: 1, learningRate: 0 };
    assert.deepEqual(
      (await run({ training: still, regularizers })).evaluated,
      (await run({ training: still })).evaluated,
    );
  });
});
