import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { compose } from "../../../core/spec/compose.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Json, Named, RunSpec, TrainingEvent } from "../../../core/types.ts";
import { rankStepper } from "../../../plugins/adapters/adalora/rank_allocation.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { testAdapter } from "../../adapter_checks.ts";
import { tinyHost, tinySpec } from "../../tiny.ts";
import { sampled } from "../../sampled.ts";

type Step = { given: Named<{ value: number[]; gradient: number[] }>; left: Named<number[]> };
type Options = Named<number> & { target_r: number; init_r: number; tinit: number; tfinal: number; deltaT: number };
const fixture: { cases: { options: Options; steps: Step[] }[] } = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../fixtures/adalora.json", import.meta.url)), "utf8"),
);

testAdapter("adalora", { use: "adalora", with: { initR: 3, targetR: 1, tinit: 1, tfinal: 1 } }, {
  startsAtBase: true,
  mergeable: true,
  peft: true,
});

describe("AdaLoRA's ranks", () => {
  for (const [number, { options, steps }] of sampled([...fixture.cases.entries()])) {
    it(`as PEFT allocates them, ${number}`, () => {
      const stepHook = (): ReturnType<typeof rankStepper> =>
        rankStepper({
          targetR: options.target_r,
          initR: options.init_r,
          tinit: options.tinit,
          tfinal: options.tfinal,
          deltaT: options.deltaT,
          beta1: options.beta1 ?? 0.85,
          beta2: options.beta2 ?? 0.85,
          totalStep: null,
          modules: ["first", "second"].map((m) => ({ a: `${m}.lora_A`, b: `${m}.lora_B`, e: `${m}.lora_E` })),
        }, () => {});
      let hook = stepHook();
      for (const [i, { given, left }] of steps.entries()) {
        const views = new Map(
          Object.entries(given).map(([name, { value, gradient }]) => [
            name,
            // Half the gradient at twice the scale is the same to it.
            { value: Float32Array.from(value), gradient: Float32Array.from(gradient, (x) => x / 2) },
          ]),
        );
        hook.onStep({
          step: i + 1,
          totalSteps: options.total_step ?? 0,
          gradientScale: 2,
          parameter: (n) => views.get(n),
        });
        for (const [name, wanted] of Object.entries(left)) {
          assert.deepEqual([...views.get(name)?.value ?? []], [...Float32Array.from(wanted)], `${name}, step ${i + 1}`);
        }
        // A checkpoint in between changes nothing.
        const { tensors } = { tensors: structuredClone(hook.tensors()) };
        hook = stepHook();
        hook.restore(tensors);
      }
    });
  }

  const events = async (training: Named<Json>): Promise<TrainingEvent[]> => {
    const use = { use: "adalora", with: { initR: 3, targetR: 1, tinit: 1, tfinal: 1 } };
    const run = compose(tinySpec({ adapter: [use], training }) as unknown as RunSpec, catalog);
    const events: TrainingEvent[] = [];
    const host = tinyHost(await hostHere(1));
    for await (const event of trainRun(run, host, { output: await memory().open(host) })) events.push(event);
    return events;
  };
  it("the penalty is part of the training loss, once a step", async () => {
    for (const gradientAccumulationSteps of [1, 2]) {
      const [step] = (await events({ maxSteps: 3, gradientAccumulationSteps })).filter((e) => e.type === "step");
      assert.ok(step?.type === "step");
      const { "adapter.penalty": penalty = NaN, ...others } = step.losses;
      // A and B start almost as zeros, so that each of the terms is about √3.
      assert.ok(Math.abs(penalty - 0.5 * Math.sqrt(3)) < 0.02, `${penalty}`);
      const rest = Object.values(others).reduce((a, b) => a + b, 0);
      assert.ok(Math.abs(step.loss - penalty - rest) < 1e-6);
    }
  });
  it("says where steps leave no room", async () => {
    await assert.rejects(events({ maxSteps: 2 }), /tinit/);
  });
});
