/**
 * 20 steps of small models whose weights train while their products are in int8, beside torch: see test/fixtures/int8_runs.py.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Json, Named, Row, RunSpec, TrainingEvent } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import figures from "../../fixtures/int8_runs.json" with { type: "json" };
import { formulaWeights, modelHost } from "../../formula.ts";
import { near } from "../../near.ts";

type Line = Readonly<{ loss: number; gradNorm: number }>;
type Noise = Readonly<{ firstLoss: number; firstNorm: number; losses: number }>;
type Figures = Readonly<{ lines: readonly Line[]; noise?: Noise }>;
type Case = Readonly<{
  family: string;
  task: string;
  config: Named<Json>;
  tensors: Named<readonly number[]>;
  runs: Readonly<Record<"float32" | "backward float32" | "backward int8", Figures>>;
}>;
const cases = figures.cases as unknown as readonly Case[];

type Step = Extract<TrainingEvent, { type: "step" }>;

async function stepsOf(
  figure: Case,
  accelerators: readonly Json[],
  training: Named<Json> = {},
): Promise<readonly Step[]> {
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
    data: { train: { use: "memory", with: { rows } } },
    accelerators,
    optimizer: "sgd",
    schedule: "linear",
    training: {
      learningRate: figures.rate,
      maxSteps: figures.steps,
      perDeviceTrainBatchSize: 2,
      trainSamplingStrategy: "sequential",
      saveStrategy: "no",
      ...training,
    },
  } as unknown as RunSpec, catalog);
  const steps: Step[] = [];
  for await (
    const event of trainRun(
      run,
      await modelHost(figure.config, formulaWeights(figure.tensors, { size: 0.2, norms: /norm|ln_/i })),
      {},
    )
  ) if (event.type === "step") steps.push(event);
  return steps;
}

const accelerators = {
  float32: [],
  "backward float32": ["int8"],
  "backward int8": [{ use: "int8", with: { backward: "int8" } }],
} as const;

for (const figure of cases) {
  describe(`20 steps of ${figure.family}`, () => {
    for (const name of ["float32", "backward float32", "backward int8"] as const) {
      it(name, async () => {
        const steps = await stepsOf(figure, accelerators[name]);
        const { lines, noise } = figure.runs[name];
        const [first, last] = [lines[0] as Line, lines.at(-1) as Line];
        const [step] = steps;
        assert.equal(steps.length, lines.length);
        // Wherever a number lies on the border of two integers torch itself may give either.
        near(step?.loss, first.loss, Math.max(1e-5 * first.loss, 2 * (noise?.firstLoss ?? 0)));
        const norm = Math.max(1e-4, 2 * (noise?.firstNorm ?? 0)) * first.gradNorm;
        near(step?.gradNorm, first.gradNorm, norm);
        if (noise) steps.forEach(({ loss }, i) => near(loss, lines[i]?.loss, Math.max(1e-5, 2 * noise.losses)));
        assert.ok(last.loss < first.loss - 0.1);
        const plain = figure.runs.float32.lines[0]?.gradNorm ?? NaN;
        if (noise) assert.ok(Math.abs((step?.gradNorm ?? NaN) - plain) > norm, "it changes nothing");
      });
    }
  });
}
