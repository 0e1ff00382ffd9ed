/** Adapters over a model that no file has: what they begin with is made of weights that are drawn. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Json, Named, RunSpec, TrainingEvent } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyConfig, tinyHost, tinySpec } from "../../tiny.ts";

const host = tinyHost(await hostHere(1));
const targetModules = ["query", "intermediate.dense"];
const lora = (options: Named<Json>): Json => ({ use: "lora", with: { r: 2, targetModules, ...options } });

async function lossesOf(adapter: Json, more: Named<Json> = {}): Promise<number[]> {
  const model = { use: "random", with: { config: tinyConfig, tokenizer: "tiny:model" } };
  const spec = { ...tinySpec({ adapter, training: { maxSteps: 3, learningRate: 0.05 } }), model, ...more };
  const events: TrainingEvent[] = [];
  for await (const event of trainRun(compose(spec as unknown as RunSpec, catalog), host, {})) events.push(event);
  return events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
}

describe("over a model from scratch", () => {
  const adapters: Named<Json> = {
    dora: { use: "dora", with: { r: 2, targetModules } },
    "lora that trains tokens' rows": lora({ trainableTokenIndices: [6, 9] }),
    pissa: lora({ initLoraWeights: "pissa" }),
    olora: lora({ initLoraWeights: "olora" }),
  };
  for (const [name, adapter] of Object.entries(adapters)) {
    it(`${name} begins at the base that is drawn, and learns`, async () => {
      const [base = NaN] = await lossesOf(lora({}));
      const [first = NaN, ...others] = await lossesOf(adapter);
      assert.ok(Math.abs(first - base) < 2e-6, `${first} ${base}`);
      assert.ok(others.every((loss) => Number.isFinite(loss) && loss !== first));
    });
  }
  it("so does dora over the base as it is quantized", async () => {
    const accelerators = [{ use: "nf4", with: { blockSize: 32 } }];
    const [base = NaN] = await lossesOf(lora({}), { accelerators });
    const [first = NaN] = await lossesOf(adapters.dora ?? null, { accelerators });
    assert.ok(Math.abs(first - base) < 2e-6, `${first} ${base}`);
    assert.notEqual(base, (await lossesOf(lora({})))[0]);
  });
  it("loftq begins with what quantizing the drawn weights loses", async () => {
    const accelerators = [{ use: "nf4", with: { blockSize: 32 } }];
    const [whole = NaN] = await lossesOf(lora({}));
    const [plain = NaN] = await lossesOf(lora({}), { accelerators });
    const [nearer = NaN] = await lossesOf(lora({ r: 16, initLoraWeights: "loftq" }), { accelerators });
    // Of full rank the factors are all that was lost in the adapted modules.
    assert.notEqual(nearer, plain);
    assert.ok(Math.abs(nearer - whole) < Math.abs(plain - whole) * 4, `${whole} ${plain} ${nearer}`);
  });
  it("a prompt of words begins with their rows", async () => {
    const prompt = { numVirtualTokens: 3, promptTuningInit: "TEXT", promptTuningInitText: "the film was" };
    const found = await lossesOf({ use: "prompt-tuning", with: prompt });
    assert.ok(found.length === 3 && found.every(Number.isFinite));
  });
});
