import assert from "node:assert/strict";
import { it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinySpec } from "../../tiny.ts";

// Data order, first weights, masks and arithmetic have all gone into these. Other processors round matrix products
// differently; within one machine the three runtimes give the same bits.
const pinned: Readonly<Record<string, readonly number[]>> = {
  "full": [
    0.7662526369094849,
    0.801590085029602,
    0.8580244183540344,
    0.7091416120529175,
    0.680256724357605,
    0.6917440891265869,
  ],
  "lora": [
    0.7651598453521729,
    0.7246065139770508,
    0.5753558278083801,
    0.6734499931335449,
    0.6481789350509644,
    0.6337781548500061,
  ],
};

for (const [name, losses] of Object.entries(pinned)) {
  it(`a tiny run has the losses it always had (${name})`, async () => {
    const adapter = name === "lora" ? [{ use: "lora", with: { r: 2, loraDropout: 0.1 } }] : [];
    const spec = tinySpec({ adapter, dropout: 0.1 }) as unknown as RunSpec;
    const found: number[] = [];
    for await (const event of trainRun(compose(spec, catalog), tinyHost(await hostHere(1)), {})) {
      if (event.type === "step") found.push(event.loss);
    }
    assert.equal(found.length, losses.length);
    found.forEach((loss, i) =>
      assert.ok(Math.abs(loss - (losses[i] ?? NaN)) < 2e-6, `step ${i + 1}: ${loss} and ${losses[i]}`)
    );
  });
}
