/** int8 without an adapter: what is computed in int8, what is not, and that nothing which is written differs. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { planRun } from "../../../core/run/plan/plan.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import { readSafetensors } from "../../../core/files/safetensors.ts";
import type { Host, Json, Named, RunSpec, Store, Tensor, TrainingEvent } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinySpec } from "../../tiny.ts";
import { filesOf, numbersOf } from "./bases.ts";
import { collect } from "../../../core/base/collect.ts";

const host: Host = tinyHost(await hostHere(1));
const store = (): Promise<Store> => memory().open(host);
const spec = (accelerators: Json, training: Named<Json> = {}, change: Named<Json> = {}): RunSpec =>
  ({ ...tinySpec({ adapter: [], training: { maxSteps: 6, ...training } }), accelerators, ...change }) as RunSpec;
const both: Json = [{ use: "int8", with: { backward: "int8" } }];

async function eventsOf(run: RunSpec, output?: Store): Promise<readonly TrainingEvent[]> {
  return await collect(trainRun(compose(run, catalog), host, output ? { output } : {}));
}
const driftsOf = (events: readonly TrainingEvent[]) => events.filter((event) => event.type === "drift");
const lossesOf = (events: readonly TrainingEvent[]): readonly number[] =>
  events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
const evaluated = (events: readonly TrainingEvent[]): readonly number[] =>
  events.flatMap((event) => (event.type === "evaluate" ? [event.metrics.loss ?? NaN] : []));

describe("a run whose weights train", () => {
  it("begins with its gate, and with steps that are near those in float32", async () => {
    const plain = await eventsOf(spec([]));
    for (const accelerators of [["int8"], both]) {
      const events = await eventsOf(spec(accelerators));
      const [drift, another] = driftsOf(events);
      assert.ok(drift?.type === "drift" && !another);
      assert.ok(drift.loss !== 0 && Math.abs(drift.loss) < 0.02 && drift.logits < 0.1, JSON.stringify(drift));
      assert.ok(drift.gradientCosine !== null && drift.gradientCosine > 0.99 && drift.gradientCosine < 1);
      const [losses, due] = [lossesOf(events), lossesOf(plain)];
      losses.forEach((loss, i) => assert.ok(Math.abs(loss - (due[i] ?? NaN)) < 0.02, `${i}: ${loss} and ${due[i]}`));
      assert.notDeepEqual(losses, due);
    }
  });
  it("is evaluated in float32, as what it saves is", async () => {
    const start = { maxSteps: 1, learningRate: 0, evalOnStart: true };
    assert.deepEqual(evaluated(await eventsOf(spec(both, start))), evaluated(await eventsOf(spec([], start))));
  });
  it("writes the names, types and shapes that it would without", async () => {
    const described = async (accelerators: Json): Promise<Json> => {
      const output = await store();
      await eventsOf(spec(accelerators, { saveSteps: 3 }), output);
      const files = await filesOf(output, "");
      const tensors = (key: string): Named<Tensor> => readSafetensors(files[key] ?? new Uint8Array(), key);
      const keys = Object.keys(files).filter((key) => key.endsWith(".safetensors"));
      assert.ok(keys.length > 1);
      return Object.fromEntries(keys.map((key) => [
        key,
        Object.fromEntries(Object.entries(tensors(key)).map(([name, { dtype, dims }]) => [name, `${dtype} ${dims}`])),
      ])) as Json;
    };
    assert.deepEqual(await described(both), await described([]));
  });
  const trainings: readonly Named<Json>[] = [{}, { gradientAccumulationSteps: 2, gradientCheckpointing: true }];
  for (const training of trainings) {
    it(`goes on to the bit where it was ended: ${JSON.stringify(training)}`, async () => {
      const own = spec(both, { saveSteps: 3, ...training });
      const [whole, cut] = [await store(), await store()];
      const all = await numbersOf(own, host, whole);
      for (const [key, bytes] of Object.entries(await filesOf(whole, ""))) {
        if (!key.includes("step-6") && key.startsWith("checkpoints/")) await cut.put(key, bytes);
      }
      const rest = await numbersOf(own, host, cut, true);
      assert.ok(rest.length > 0 && rest.length < all.length);
      assert.deepEqual(rest, all.slice(-rest.length));
      assert.deepEqual(await filesOf(cut, "model/"), await filesOf(whole, "model/"));
    });
  }
  it("computes the same where layers are computed again for the backward pass", async () => {
    const [kept, again] = [await eventsOf(spec(both)), await eventsOf(spec(both, { gradientCheckpointing: true }))];
    assert.deepEqual(lossesOf(again), lossesOf(kept));
  });
  it("is planned: how many weights, how they are multiplied, what is kept", async () => {
    const plan = await planRun(compose(spec(both), catalog), host);
    // Six linear layers in each of two layers, and the pooler: 16 wide, 32 within.
    const format = "int8 of weights that train, products in int8, gradients in int8";
    const bytes = 2 * (4 * (256 + 64) + (512 + 128) + (512 + 64)) + 256 + 64;
    assert.deepEqual(plan.products, [{ format, weights: 13, bytes }]);
    assert.equal(plan.bytes.trainedCodes, bytes);
    const forward = await planRun(compose(spec(["int8"]), catalog), host);
    assert.deepEqual([forward.products?.[0]?.weights, forward.bytes.trainedCodes], [13, undefined]);
    assert.equal((await planRun(compose(spec([]), catalog), host)).products, undefined);
  });
  it("takes the modules that it is told", async () => {
    const weightsOf = async (options: Named<Json>): Promise<number | undefined> =>
      (await planRun(compose(spec([{ use: "int8", with: options }]), catalog), host)).products?.[0]?.weights;
    assert.equal(await weightsOf({ targetModules: ["query", "value"] }), 4);
    assert.equal(await weightsOf({ skipModules: ["output.dense", "pooler"] }), 8);
  });
});

describe("what may not be", () => {
  const wrong = (accelerators: Json, pattern: RegExp, training: Named<Json> = {}): void =>
    void assert.throws(() => compose(spec(accelerators, training), catalog), pattern);
  it("is refused by what is wrong with it", () => {
    wrong([{ use: "int8", with: { forward: "float32" } }], /"int8" is not supported: .*without an adapter/);
    wrong(["int8"], /"int8 beside bf16" is not supported: .*rounds before products/, { bf16: true });
    wrong(["int8", "fp16"], /"int8 beside fp16" is not supported/);
    wrong(["int8", "int8"], /accelerators\.1: expected other targetModules/);
    wrong(["int4"], /"int4" is not supported: .*without an adapter/);
  });
  it("ends a run whose loss it changes by more than it may", async () => {
    await assert.rejects(eventsOf(spec([{ use: "int8", with: { maxLossDrift: 1e-9 } }])), { code: "REFUSED" });
  });
  it("weights that train below an adapter stay float32", async () => {
    const own = { use: "freeze", with: { trainLastLayers: 1 } };
    const plan = await planRun(compose(spec(["int8"], {}, { adapter: own }), catalog), host);
    assert.equal(plan.products, undefined);
    assert.ok(plan.frozen.some(({ storage }) => storage.startsWith("int8")));
  });
});
