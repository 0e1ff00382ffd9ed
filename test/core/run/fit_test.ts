/** What a run that does not fit would fit with: planned, in an order of cost. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { AttuneError } from "../../../core/base/errors.ts";
import { proposeFit } from "../../../core/run/plan/fit.ts";
import { planRun } from "../../../core/run/plan/plan.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Fit, Json, Named, Plan, Run, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinySpec } from "../../tiny.ts";

const host = tinyHost(await hostHere(1));
const rows = Array.from({ length: 24 }, (_, i) => ({ text: "a film ".repeat(1 + i % 5), label: "good" }));

/** A run whose frozen weights and whose step both count. */
function specOf(training: Named<Json>, more: Named<Json> = {}): Named<Json> {
  const config = { hidden_size: 256, intermediate_size: 1024, num_hidden_layers: 4, num_attention_heads: 4 };
  const spec = tinySpec({ rows, dropout: 0.1, training: { maxSteps: 2, perDeviceTrainBatchSize: 24, ...training } });
  return {
    ...spec,
    model: { use: "random", with: { path: "tiny:model", config } },
    adapter: { use: "lora", with: { r: 2 } },
    ...more,
  };
}
const composed = (spec: Named<Json>): Run => compose(spec as unknown as RunSpec, catalog);
/** A spec with what a proposal says. */
const changed = (spec: Named<Json>, said: Named<Json>): Named<Json> => ({
  ...spec,
  ...said,
  training: { ...spec.training as Named<Json>, ...said.training as Named<Json> },
});
const planned = async (spec: Named<Json>): Promise<Plan> => await planRun(composed(spec), host);
const proposed = async (spec: Named<Json>): Promise<Fit> => await proposeFit(composed(spec), host);

/** All that a proposal says, each part left out in turn. */
function* withoutParts({ training, accelerators, ...others }: Named<Json>): Generator<Named<Json>> {
  const { memory, perDeviceTrainBatchSize, gradientAccumulationSteps, gradientCheckpointing } = training as Named<Json>;
  const limit = memory === undefined ? {} : { memory };
  const batch = perDeviceTrainBatchSize === undefined ? {} : { perDeviceTrainBatchSize, gradientAccumulationSteps };
  const checkpointing = gradientCheckpointing === undefined ? {} : { gradientCheckpointing };
  const stored: Named<Json> = accelerators === undefined ? {} : { accelerators };
  if (Object.keys(batch).length > 0) yield { ...others, ...stored, training: { ...limit, ...checkpointing } as Json };
  if (Object.keys(checkpointing).length > 0) yield { ...others, ...stored, training: { ...limit, ...batch } as Json };
  if (Object.keys(stored).length > 0) yield { ...others, training: { ...limit, ...batch, ...checkpointing } as Json };
}

describe("what would fit", () => {
  it("is told as it would stand in the spec, fits as planned, and none of it can be left out", async () => {
    const { bytes: { total = 0 } } = await planned(specOf({}));
    const least = await proposed(specOf({ memory: 1 }));
    assert.equal(least.fits, false);
    assert.ok(least.bytes < total, `${least.bytes} of ${total}`);
    assert.deepEqual(least.spec.accelerators, [{ use: "nf4", with: { useDoubleQuant: true } }]);
    const kinds = new Set<string>();
    for (let i = 0; i < 12; i++) {
      const memory = Math.round(least.bytes + (total - least.bytes) * i / 12);
      const spec = specOf({ memory });
      if ((await planned(spec)).fits) continue;
      const { fits, bytes, spec: said } = await proposed(spec);
      assert.equal(fits, true, `${memory} of ${total}`);
      kinds.add(JSON.stringify(said.accelerators));
      const plan = await planned(changed(spec, said));
      assert.deepEqual([plan.fits, plan.bytes.total], [true, bytes]);
      for (const part of withoutParts(said)) {
        assert.equal(
          (await planned(changed(spec, part))).fits,
          false,
          `${JSON.stringify(part)} of ${JSON.stringify(said)}`,
        );
      }
    }
    assert.ok(kinds.size > 2, [...kinds].join());
  });
  it("is nothing about storage where all weights train", async () => {
    const { fits, spec } = await proposed({ ...specOf({ memory: 1 }), adapter: [] });
    const { memory: _memory, ...training } = spec.training as Named<Json>;
    assert.deepEqual([fits, spec.accelerators, training.gradientCheckpointing], [false, undefined, true]);
  });
  it("keeps the options and the company of a quantizer that is there", async () => {
    const options = { skipModules: ["query"], maxLossDrift: 3 };
    const { spec } = await proposed(
      specOf({ memory: 1, bf16: true }, { accelerators: [{ use: "int8", with: options }] }),
    );
    assert.deepEqual(spec.accelerators, [{ use: "nf4", with: { useDoubleQuant: true, ...options } }]);
  });
  it("is in the error of a run that is refused, and without it nothing is trained", async () => {
    const least = await proposed(specOf({ memory: 1 }));
    const memory = least.bytes + 1_000_000;
    const spec = specOf({ memory });
    const { spec: said } = await proposed(spec);
    await assert.rejects(
      async () => {
        for await (const event of trainRun(composed(spec), host, {})) assert.notEqual(event.type, "step");
      },
      (error) =>
        error instanceof AttuneError && error.code === "REFUSED" && error.message.includes(JSON.stringify(said)),
    );
  });
});
