import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Json } from "../../../core/types.ts";
import { tinyRows } from "../../tiny.ts";
import { near, type Ran, run, startWeights, summed } from "../../tiny_run.ts";

const names = Object.keys(startWeights);

describe("ewc", () => {
  const old = tinyRows.slice(0, 3);
  const data: Json = { use: "memory", with: { rows: tinyRows as unknown as Json } };

  it("weighs the way from the start by the mean of squared gradients of old rows", async () => {
    // A step of SGD on one row tells its gradient.
    const fisher: Record<string, number[]> = {};
    for (const name of names) fisher[name] = [...startWeights[name] ?? []].map(() => 0);
    for (const one of old) {
      const { weights } = await run({
        rows: [one],
        training: { maxSteps: 1, learningRate: 1, perDeviceTrainBatchSize: 1 },
      });
      for (const name of names) {
        fisher[name] = (fisher[name] ?? []).map((f, i) =>
          f + ((startWeights[name]?.[i] ?? NaN) - (weights[name]?.[i] ?? NaN)) ** 2 / old.length
        );
      }
    }
    const regularizers = [{ use: "ewc", with: { data, rows: 3, lambda: 30 } }];
    const one = await run({ training: { maxSteps: 1 }, regularizers });
    const two = await run({ training: { maxSteps: 2 }, regularizers });
    const wanted = names.reduce((total, name) => {
      const way = (one.weights[name] ?? new Float32Array()).map((w, i) => (w - (startWeights[name]?.[i] ?? NaN)) ** 2);
      return total + 15 * summed(fisher[name] ?? [], way, (f, d) => f * d);
    }, 0);
    assert.equal(two.losses[0]?.ewc, 0);
    assert.ok(wanted > 1e-3);
    near(two.losses[1]?.ewc, wanted, 1e-4);
  });

  it("makes a second task forget less of the first", async () => {
    const first = await run({ optimizer: "adamw", training: { maxSteps: 8, learningRate: 0.005 } });
    assert.equal(first.evaluated.at(-1)?.accuracy, 1);
    // The second task turns words round that the first knows as saying little.
    const second = Array.from({ length: 16 }, (_, i) => ({
      text: `the ${["film", "food", "phone"][i % 3]} was ${i % 2 === 0 ? "nice ." : "poor and nice !"}`,
      label: i % 2 === 0 ? "bad" : "good",
    }));
    const then = (regularizers: Json): Promise<Ran> =>
      run({
        rows: second,
        evaluation: tinyRows,
        model: first.bytes,
        optimizer: "adamw",
        training: { maxSteps: 30, learningRate: 0.005 },
        regularizers,
      });
    const [free, bound] = [await then([]), await then([{ use: "ewc", with: { data, lambda: 3000 } }])];
    const last = (ran: Ran): number => ran.losses.at(-1)?.logits ?? NaN;
    assert.ok(last(free) < 0.1 && last(bound) < 0.15, `both learn the second task: ${last(free)}, ${last(bound)}`);
    const [lost, keptLoss] = [free.evaluated.at(-1)?.loss ?? NaN, bound.evaluated.at(-1)?.loss ?? NaN];
    assert.ok(
      lost > 1 && keptLoss < 0.3,
      `loss of the first task: ${lost} free, ${keptLoss} held; was ${first.evaluated.at(-1)?.loss}`,
    );
    assert.ok((bound.evaluated.at(-1)?.accuracy ?? 0) > (free.evaluated.at(-1)?.accuracy ?? 1) + 0.2);
  });
});
