import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { compose } from "../../../core/spec/compose.ts";
import { createRandom } from "../../../core/math/random.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Json, Named, RunSpec, Tensor } from "../../../core/types.ts";
import { dequantizeFourBit, fourBitTables, quantizeFourBit } from "../../../formats/quantization/bitsandbytes.ts";
import { readFactors } from "../../../plugins/adapters/lora/factors.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinySpec } from "../../tiny.ts";

type Case = Readonly<
  { outputs: number; inputs: number; r: number; w: readonly number[]; product: readonly number[] }
>;
/** What PEFT's steps gave (test/fixtures/loftq.py). */
const cases: readonly Case[] = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../fixtures/loftq.json", import.meta.url)), "utf8"),
);

describe("LoftQ", () => {
  for (const { outputs, inputs, r, w, product } of cases) {
    it(`${outputs} by ${inputs}, rank ${r}: scale \u00b7 B A is PEFT's product, whatever the scale`, async () => {
      const whole: Tensor<Float32Array> = { dtype: "float32", dims: [outputs, inputs], data: Float32Array.from(w) };
      const coded = quantizeFourBit(whole.data, "nf4", 64);
      const data = dequantizeFourBit(coded, fourBitTables.nf4, 64, whole.data.length);
      const weights = {
        read: () => Promise.resolve({ ...whole, data }),
        readWhole: () => Promise.resolve(whole),
      };
      for (const scale of [1, 4]) {
        const { a, b } = await readFactors("lora", "loftq", "x", r, scale, inputs, outputs, weights, createRandom(1));
        product.forEach((wanted, at) => {
          const [o, i] = [Math.floor(at / inputs), at % inputs];
          let worse = 0;
          for (let k = 0; k < r; k++) worse += scale * (b[o * r + k] ?? 0) * (a[k * inputs + i] ?? 0);
          assert.ok(Math.abs(worse - wanted) <= 1e-5, `${worse} for ${wanted}`);
        });
      }
    });
  }

  const lora = (options: Named<Json> = {}): Json => ({
    use: "lora",
    with: { r: 4, targetModules: ["query", "output.dense"], initLoraWeights: "loftq", ...options },
  });
  const lossesOf = async (adapter: Json, accelerators: Json): Promise<readonly number[]> => {
    const losses: number[] = [];
    const run = compose({ ...tinySpec({ adapter }), accelerators } as unknown as RunSpec, catalog);
    for await (const event of trainRun(run, tinyHost(await hostHere(1)), {})) {
      if (event.type === "step") losses.push(event.loss ?? NaN);
    }
    return losses;
  };
  it("of full rank begins as the unquantized model", async () => {
    const plain = { use: "lora", with: { r: 16, targetModules: "all-linear" } };
    const quantizer = [{ use: "nf4", with: { blockSize: 32 } }];
    const [[whole = NaN], [coded = NaN], [begun = NaN]] = [
      await lossesOf(plain, []),
      await lossesOf(plain, quantizer),
      await lossesOf(
        lora({ r: 16, loraAlpha: 32, targetModules: "all-linear", loftqConfig: { loftqBits: 4 } }),
        quantizer,
      ),
    ];
    assert.ok(Math.abs(coded - whole) > 1e-4, `${coded} for ${whole}`);
    assert.ok(Math.abs(begun - whole) <= 1e-5, `${begun} for ${whole}`);
  });
  it("is saved as an adapter over the quantized base, which begins as what is there", async () => {
    const run = compose({ ...tinySpec({ adapter: lora() }), accelerators: ["nf4"] } as unknown as RunSpec, catalog);
    const { attached: [adapter] } = await openRun(run, tinyHost(await hostHere(1)));
    assert.equal(adapter?.record?.config.init_lora_weights, true);
    assert.equal("loftq_config" in (adapter?.record?.config ?? {}), false);
  });
  it("refuses what makes no sense, by name", async () => {
    await assert.rejects(lossesOf(lora(), []), /initLoraWeights.*loses nothing.*accelerators \(nf4\).*loftq/);
    await assert.rejects(lossesOf(lora({ useDora: true }), ["nf4"]), /initLoraWeights.*useDora/);
    await assert.rejects(lossesOf(lora({ loftqConfig: { loftqIter: 5 } }), ["nf4"]), /loftqIter/);
    const without = lora({ initLoraWeights: true, loftqConfig: { loftqBits: 4 } });
    await assert.rejects(lossesOf(without, ["nf4"]), /loftqConfig.*initLoraWeights "loftq"/);
  });
});
