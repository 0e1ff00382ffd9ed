/** Taggers, readers and choosers against torch's figures. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Json, Named, Row } from "../../../core/types.ts";
import figures from "../../fixtures/heads.json" with { type: "json" };
import { sampled } from "../../sampled.ts";
import { formulaWeights, modelHost, openModel } from "../../formula.ts";
import { near } from "../../near.ts";

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

function rowsOf({ task, rows: given }: Case): Row[] {
  const { types } = figures;
  const ids = given?.ids ?? figures.ids;
  const targets = { ...figures.targets, ...(given && { QuestionAnswering: given.targets }) };
  const rows = ids.map((input_ids, i) => (given ? { input_ids } : { input_ids, token_type_ids: types[i] }));
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

describe("torch's figures", () => {
  for (const figure of sampled(figures.cases as unknown as readonly Case[])) {
    it(`${figure.family}For${figure.task}`, async () => {
      const host = await modelHost(figure.config, formulaWeights(figure.tensors));
      const { engine, shared, padded } = await openModel(host, { task: tasks[figure.task], rows: rowsOf(figure) });
      assert.deepEqual(engine.fresh, []);
      const { outputs } = await engine.run(padded, figure.task !== "TokenClassification");
      for (const [name, wanted] of Object.entries(figure.logits)) {
        const output = outputs[name.replace(/_l/, "L")];
        assert.equal(output?.data.length, wanted.length);
        wanted.forEach((value, i) => {
          // What stands at padding depends on the attention code, and counts only if a distribution runs over it.
          const counts = figure.task !== "TokenClassification" ||
            (padded.tokenOrigins[2 * Math.floor(i / 3)] ?? -1) >= 0;
          if (counts) near(output?.data[i] ?? NaN, value, Math.max(5e-6, 4 * figure.noise), `${name} ${i}`);
        });
      }
      assert.equal(shared.batch, figure.task === "QuestionAnswering" ? padded.samples : 1);
      const { loss } = await engine.step([shared], { step: 1, learningRate: 0, maxGradNorm: 0 });
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
