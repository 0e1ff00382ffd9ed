/**
 * Plans: what a run will take, before it starts.
 * @module
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { compose } from "../../../core/compose.ts";
import { planRun } from "../../../core/run/plan.ts";
import { sizeOf } from "../../../core/tensor.ts";
import type { Json, Named, Plan, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/train.ts";
import { tinyHost, tinySpec, tinyWeights } from "../../tiny.ts";

const planned = async (spec: Named<Json>): Promise<Plan> =>
  await planRun(compose(spec as unknown as RunSpec, catalog), tinyHost(await hostHere(1)));

it("counts parameters, and work that grows with the number of steps", async () => {
  const all = Object.values(tinyWeights()).reduce((n, tensor) => n + sizeOf(tensor.dims), 0);
  const full = await planned(tinySpec());
  assert.deepEqual([full.fits, full.trainableParameters, full.totalParameters], [true, all, all]);
  assert.equal(full.bytes.optimizerState, 2 * 4 * all);
  const longer = await planned(tinySpec({ training: { maxSteps: 12 } }));
  assert.ok(Math.abs(longer.flops / full.flops - 2) < 1e-9);
  const lora = await planned(tinySpec({ adapter: { use: "lora", with: { r: 2 } } }));
  // Two layers' queries and values, A and B of rank 2, and the classifier.
  assert.equal(lora.trainableParameters, 2 * 2 * 2 * (16 * 2) + 2 * 16 + 2);
  assert.ok(lora.flops < full.flops);
});
