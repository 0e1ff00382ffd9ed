/** 20 steps of small models in 16 bits beside torch.autocast("cpu") and GradScaler: see test/fixtures/half_runs.py. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Json, Named, Row, RunSpec, TrainingEvent } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import figures from "../../fixtures/half_runs.json" with { type: "json" };
import { sampled } from "../../sampled.ts";
import { formulaWeights, modelHost } from "../../formula.ts";

type Line = Readonly<
  { loss: number; gradNorm: number | null; learningRate: number; skipped: boolean; lossScale?: number }
>;
type Case = Readonly<{
  family: string;
  task: string;
  config: Named<Json>;
  tensors: Named<readonly number[]>;
  runs: Readonly<Record<"float32" | "fp16" | "bf16", readonly Line[]>>;
}>;
const cases = figures.cases as unknown as readonly Case[];

type Step = Extract<TrainingEvent, { type: "step" }>;

/** The loss before the first step, as an evaluation has it, and the steps. */
async function runOf(
  figure: Case,
  accelerators: readonly Json[],
): Promise<Readonly<{ before: number | undefined; steps: Step[] }>> {
  const { task } = figure;
  const rows = figures.ids.map((input_ids, i) => ({
    input_ids,
    labels: task === "causal-lm" ? input_ids : (task === "seq2seq-lm" ? figures.answers : figures.told)[i],
    ...(task === "masked-lm" ? { token_type_ids: input_ids.map(() => 0) } : {}),
  })) as Row[];
  const run = compose({
    version: 1,
    model: { use: "pretrained", with: { path: "tiny:model" } },
    task,
    data: { train: { use: "memory", with: { rows } }, eval: { use: "memory", with: { rows } } },
    accelerators,
    optimizer: "sgd",
    schedule: "linear",
    training: {
      learningRate: figures.rate,
      maxSteps: figures.steps,
      perDeviceTrainBatchSize: 2,
      trainSamplingStrategy: "sequential",
      saveStrategy: "no",
      evalStrategy: "steps",
      evalSteps: figures.steps,
      evalOnStart: true,
    },
  } as unknown as RunSpec, catalog);
  const steps: Step[] = [];
  let before: number | undefined;
  for await (
    const event of trainRun(run, await modelHost(figure.config, formulaWeights(figure.tensors, { size: 0.2 })), {})
  ) {
    if (event.type === "step") steps.push(event);
    if (event.type === "evaluate") before ??= event.metrics.loss;
  }
  return { before, steps };
}

const given = { float32: [], fp16: [{ use: "fp16", with: figures.scaler }], bf16: ["bf16"] };

/**
 * How far losses may be from torch's: twice as far as torch's own three codes of attention, which round in other places, are
 * from each other in these runs. Both ends of a distance are rounded.
 */
function boundOf({ runs }: Case, name: "fp16" | "bf16"): number {
  const others = (runs as unknown as Record<string, readonly (readonly number[])[]>)[`${name} otherwise`] ?? [];
  const distances = others.flatMap((losses) => losses.map((loss, i) => Math.abs(loss - (runs[name][i]?.loss ?? NaN))));
  return 2 * Math.max(...distances);
}

for (const figure of sampled(cases, 2)) {
  describe(`20 steps of ${figure.family}`, () => {
    for (const name of ["float32", "fp16", "bf16"] as const) {
      it(name, async () => {
        const due = figure.runs[name];
        const { before, steps } = await runOf(figure, given[name]);
        assert.ok(Math.abs((before ?? NaN) - (steps[0]?.loss ?? NaN)) < 2e-6, `${before} evaluated, ${steps[0]?.loss}`);
        assert.deepEqual(steps.map(({ skipped }) => skipped), due.map(({ skipped }) => skipped));
        assert.deepEqual(steps.map(({ lossScale }) => lossScale), due.map(({ lossScale }) => lossScale));
        const bound = name === "float32" ? 1e-5 : boundOf(figure, name);
        for (const [i, { learningRate }] of steps.entries()) {
          assert.ok(Math.abs(learningRate / (due[i]?.learningRate ?? NaN) - 1) < 1e-12, `rate in step ${i}`);
        }
        const off = Math.max(...steps.map(({ loss }, i) => Math.abs(loss - (due[i]?.loss ?? NaN))));
        assert.ok(off <= bound, `losses are ${off} from torch's, and may be ${bound}`);
        if (name !== "float32") {
          assert.ok(Math.abs((steps[0]?.loss ?? NaN) - (figure.runs.float32[0]?.loss ?? NaN)) > 1e-6);
        }
      });
    }
  });
}
