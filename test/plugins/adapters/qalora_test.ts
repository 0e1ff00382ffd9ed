import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { compose } from "../../../core/spec/compose.ts";
import { openRun } from "../../../core/run/open/open.ts";
import type { Json, Named, RunSpec } from "../../../core/types.ts";
import { unpoolFactor } from "../../../formats/quantization/pooled_inputs.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { packedFigures, packedFiles } from "../../formats/packed/packed.ts";
import { tinyHost, tinySpec } from "../../tiny.ts";

type Case = Readonly<
  & { inputs: number; outputs: number; group: number; r: number; scaling: number }
  & Record<
    "x" | "a" | "b" | "delta",
    readonly number[]
  >
>;
/** What PEFT's own code gave (test/fixtures/qalora.py). */
const cases: readonly Case[] = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../fixtures/qalora.json", import.meta.url)), "utf8"),
);

describe("QA-LoRA", () => {
  for (const { inputs, outputs, group, r, scaling, x, a, b, delta } of cases) {
    it(`${inputs} inputs by ${group}: the update without pooling is PEFT's`, () => {
      const wide = unpoolFactor({ dtype: "float32", dims: [r, inputs / group], data: Float32Array.from(a) }, group);
      assert.deepEqual(wide.dims, [r, inputs]);
      delta.forEach((wanted, at) => {
        const [row, o] = [Math.floor(at / outputs), at % outputs];
        let sum = 0;
        for (let k = 0; k < r; k++) {
          for (let i = 0; i < inputs; i++) {
            sum += scaling * (b[o * r + k] ?? 0) * (wide.data[k * inputs + i] ?? 0) * (x[row * inputs + i] ?? 0);
          }
        }
        assert.ok(Math.abs(sum - wanted) <= 1e-5, `${sum} for ${wanted}`);
      });
    });
  }

  const configOf = async (options: Named<Json>, files: Named<Uint8Array> = {}): Promise<Named<Json>> => {
    const adapter = { use: "lora", with: { r: 2, targetModules: ["query", "intermediate.dense"], ...options } };
    const host = tinyHost(await hostHere(1), files);
    const { attached: [own] } = await openRun(compose(tinySpec({ adapter }) as RunSpec, catalog), host);
    return own?.record?.config ?? {};
  };
  it("is saved as PEFT saves it; its groups are those of a base of codes", async () => {
    const plain = await configOf({});
    assert.equal(plain.use_qalora, undefined);
    const said = await configOf({ useQalora: true, qaloraGroupSize: 8 });
    assert.deepEqual([said.use_qalora, said.qalora_group_size], [true, 8]);
    assert.equal((await configOf({ useQalora: true })).qalora_group_size, 16);
    const hqq = packedFigures["hqq 8, across rows"];
    const awq = packedFigures["awq, one group"];
    assert.ok(hqq && awq);
    assert.equal((await configOf({ useQalora: true }, packedFiles(awq))).qalora_group_size, 32);
  });
  it("refuses what it makes no sense with, by name", async () => {
    const cases: readonly (readonly [Named<Json>, RegExp])[] = [
      [{ qaloraGroupSize: 5 }, /qaloraGroupSize.*divisor of the 16 inputs of .*query.*5/],
      [{ useDora: true }, /useDora.*useQalora/],
      [{ loraBias: true }, /loraBias.*useQalora/],
      [{ initLoraWeights: "pissa" }, /initLoraWeights.*useQalora.*pissa/],
      [{ targetModules: ["query", "word_embeddings"] }, /targetModules.*linear layers alone.*word_embeddings/],
    ];
    for (const [options, message] of cases) await assert.rejects(configOf({ useQalora: true, ...options }), message);
  });
});
