/**
 * Taggers, readers and choosers against torch's figures.
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { layOut } from "../../../core/loop/layout.ts";
import { encodeRows } from "../../../core/run/rows/data.ts";
import { allSamples } from "../../../core/run/rows/encoded_rows.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { createRunEngine } from "../../../core/run/plan/engine.ts";
import { writeSafetensors } from "../../../core/files/safetensors.ts";
import { sizeOf, type Tensor } from "../../../core/base/tensor.ts";
import type { Json, Named, Row, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost } from "../../tiny.ts";
import figures from "../../fixtures/heads.json" with { type: "json" };
import { sampled } from "../../sampled.ts";

type Case = Readonly<{
  family: string;
  task: keyof typeof tasks;
  config: Named<Json>;
  tensors: Named<readonly number[]>;
  loss: number;
  /** How far the logits are from those in float64. */
  noise: number;
  logits: Named<readonly number[]>;
  norms: Named<number>;
  rows?: Readonly<{ ids: number[][]; targets: Readonly<{ start_positions: number[]; end_positions: number[] }> }>;
}>;

const tasks = {
  TokenClassification: { use: "token-classification", with: { numLabels: 3 } },
  QuestionAnswering: { use: "question-answering" },
  MultipleChoice: { use: "multiple-choice" },
} as const;

/** The weights that the script beside the figures makes. */
function formula(name: string, dims: readonly number[]): Tensor<Float32Array> {
  const seed = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) * 0.7;
  const base = name.endsWith("weight") && name.toLowerCase().includes("norm") ? 1 : 0;
  const data = Float32Array.from({ length: sizeOf(dims) }, (_, i) => base + 0.3 * Math.sin(i * 12.9898 + seed));
  return { dtype: "float32", dims, data };
}

function rowsOf({ task, rows: own }: Case): Row[] {
  const { types } = figures;
  const ids = own?.ids ?? figures.ids;
  const targets = { ...figures.targets, ...(own && { QuestionAnswering: own.targets }) };
  const rows = ids.map((input_ids, i) => (own ? { input_ids } : { input_ids, token_type_ids: types[i] }));
  if (task === "TokenClassification") return rows.map((row, i) => ({ ...row, labels: targets[task].labels[i] }));
  if (task === "QuestionAnswering") {
    const { start_positions, end_positions } = targets[task];
    return rows.map((row, i) => ({ ...row, start_positions: start_positions[i], end_positions: end_positions[i] }));
  }
  return targets[task].labels.map((label, i) => ({
    input_ids: ids.slice(2 * i, 2 * i + 2),
    token_type_ids: types.slice(2 * i, 2 * i + 2),
    label,
  }));
}

function near(a: number, b: number, tolerance: number, what: string): void {
  assert.ok(Math.abs(a - b) <= tolerance, `${what}: ${a} and ${b}`);
}

describe("torch's figures", () => {
  for (const figure of sampled(figures.cases as unknown as readonly Case[])) {
    it(`${figure.family}For${figure.task}`, async () => {
      const weights = Object.fromEntries(
        Object.entries(figure.tensors).map(([name, dims]) => [name, formula(name, dims)]),
      );
      const host = tinyHost(await hostHere(1), {
        "config.json": new TextEncoder().encode(JSON.stringify(figure.config)),
        "model.safetensors": writeSafetensors(weights),
      });
      const spec = {
        version: 1,
        model: { use: "pretrained", with: { path: "tiny:model" } },
        task: tasks[figure.task],
        data: { train: { use: "memory", with: { rows: rowsOf(figure) } } },
        optimizer: "sgd",
      };
      const open = await openRun(compose(spec as unknown as RunSpec, catalog), host);
      const train = await encodeRows(open, open.run.use("data", spec.data.train), true);
      const samples = await allSamples(train);
      const engine = await createRunEngine(open, train, undefined);
      assert.deepEqual(engine.fresh, []);
      const padded = layOut(samples, { ...open.layout, rowSharing: false });
      const { outputs } = await engine.run(padded, figure.task !== "TokenClassification");
      for (const [name, wanted] of Object.entries(figure.logits)) {
        const found = outputs[name.replace(/_l/, "L")];
        assert.equal(found?.data.length, wanted.length);
        wanted.forEach((value, i) => {
          // What stands at padding depends on the attention code, and counts only if a distribution runs over it.
          const counts = figure.task !== "TokenClassification" ||
            (padded.tokenOrigins[2 * Math.floor(i / 3)] ?? -1) >= 0;
          if (counts) near(found?.data[i] ?? NaN, value, Math.max(5e-6, 4 * figure.noise), `${name} ${i}`);
        });
      }
      const batch = layOut(samples, open.layout);
      assert.equal(batch.batch, figure.task === "QuestionAnswering" ? samples.length : 1);
      const { loss } = await engine.step([batch], { step: 1, learningRate: 0, maxGradNorm: 0 });
      near(loss, figure.loss, 2e-6, "loss");
      // T5's tagger holds its model under a name.
      const theirs = (name: string): string => (name in figure.norms ? name : `transformer.${name}`);
      assert.deepEqual(engine.state.trained.map((t) => theirs(t.name)).sort(), Object.keys(figure.norms).sort());
      for (const t of engine.state.trained) {
        const norm = Math.sqrt(t.span.gradient.reduce((sum, g) => sum + g * g, 0));
        near(norm, figure.norms[theirs(t.name)] ?? NaN, Math.max(1e-6, 1e-5 * norm, figure.noise), `norm of ${t.name}`);
      }
      await engine.close();
    });
  }
});
