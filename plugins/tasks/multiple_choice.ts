/**
 * The objective of choosing one of several continuations or answers.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Batch, Factory, Tensor } from "../../core/types.ts";

/** Options of {@link multipleChoice}. */
export interface MultipleChoiceOptions {
  /** Names of the columns, if they differ. */
  readonly columns: Readonly<Record<string, string>>;
}

/**
 * Multiple choice: `context`, `choices`, `label` (the number of the right one).
 *
 * @example
 * ```ts
 * import { multipleChoice } from "attune/tasks/multiple-choice";
 * console.assert(multipleChoice().subtasks[0]?.heads[0] === "choice");
 * ```
 */
export const multipleChoice: Factory<"task", Partial<MultipleChoiceOptions>> = define({
  kind: "task",
  name: "multiple-choice",
  schema: v.strictObject({ columns: v.optional(v.record(v.string(), v.string()), {}) }),
  create: ({ columns }: MultipleChoiceOptions) => ({
    subtasks: [{
      name: "",
      collator: { use: "multiple-choice", with: { columns } },
      heads: ["choice"],
      losses: [{ loss: "cross-entropy", output: "logits", target: "labels" }],
      metrics: ["accuracy"],
      modelClass: "ForMultipleChoice",
      decode: ({ logits }, batch) => ({
        label: scoresOf(logits, batch).map((scores, i) => ({
          prediction: scores.indexOf(Math.max(...scores)),
          reference: Number(batch.inputs.labels?.data[i]),
          scores,
        })),
      }),
      predict: ({ logits }, batch) =>
        scoresOf(logits, batch).map((scores) => {
          const score = Math.max(...scores);
          return { label: scores.indexOf(score), score, scores };
        }),
    }],
  }),
});

/** Returns each sample's probabilities, one for each of its choices. */
function scoresOf(logits: Tensor | undefined, { inputs: { members }, samples }: Batch): number[][] {
  const width = logits?.dims[1] ?? 1;
  return Array.from({ length: samples }, (_, i) => {
    const at = (k: number): number => i * width + k;
    const row = Array.from({ length: width }, (_, k) => Number(logits?.data[at(k)]))
      .filter((_, k) => members === undefined || Number(members.data[at(k)]) >= 0);
    const top = Math.max(...row);
    const powers = row.map((x) => Math.exp(x - top));
    const total = powers.reduce((a, b) => a + b, 0);
    return powers.map((p) => p / total);
  });
}
