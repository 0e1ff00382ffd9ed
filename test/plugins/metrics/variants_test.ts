import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { Metric } from "../../../core/types.ts";
import { bleu } from "../../../plugins/metrics/bleu.ts";
import { seqeval } from "../../../plugins/metrics/seqeval.ts";
import { wer } from "../../../plugins/metrics/wer.ts";

type Row<T> = Readonly<{ reference: T; prediction: T }>;
const path = new URL("../../fixtures/metric_variants.json", import.meta.url);
const cases: Readonly<{
  seqeval: readonly (Row<string[]> & { scheme: "IOB1" | "IOE1"; scores: number[] })[];
  bleu: readonly (Row<string> & { score: number })[];
  wer: readonly (Row<string> & { score: number })[];
}> = JSON.parse(readFileSync(path, "utf8"));

function measured(metric: Metric, example: object): Record<string, number | null> {
  return { ...metric.compute(metric.update(metric.init(), example as never)) };
}
const near = (actual: unknown, wanted: number, row: unknown): void =>
  assert.ok(Math.abs(Number(actual) - wanted) < 1e-9, `${actual}, not ${wanted}: ${JSON.stringify(row)}`);

describe("metrics as Python's libraries compute them", () => {
  it("seqeval's IOB1 and IOE1", () => {
    assert.equal(cases.seqeval.length, 240);
    for (const row of cases.seqeval) {
      const found = measured(seqeval({ mode: "strict", scheme: row.scheme }), row);
      ["precision", "recall", "f1"].forEach((name, i) =>
        near(found[`seqeval_${name}_micro`], row.scores[i] ?? NaN, row)
      );
    }
    assert.throws(
      () => measured(seqeval({ mode: "strict", scheme: "IOE1" }), { prediction: ["B-X"], reference: ["I-X"] }),
      /IOE1/,
    );
  });

  it('BLEU\'s tokenizer "zh"', () => {
    for (const row of cases.bleu) {
      const metric = bleu({ tokenize: "zh", smoothMethod: "exp", effectiveOrder: true } as never);
      near(measured(metric, { prediction: row.prediction, references: [row.reference] }).bleu, row.score, row);
    }
  });

  it("WER of texts with tabs and other blanks, as jiwer's", () => {
    for (const row of cases.wer) {
      near(measured(wer(), { prediction: row.prediction, references: [row.reference] }).wer, row.score, row);
    }
  });
});
