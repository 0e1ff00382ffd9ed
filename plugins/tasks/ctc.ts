/**
 * The objective of predicting a sequence of symbols from a longer one, without labels for positions.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { most } from "../../core/base/most.ts";
import type { Batch, Factory, Tensor } from "../../core/types.ts";

/** Options of {@link ctc}. */
export interface CtcOptions {
  /** The symbols; their classes start at 1, and 0 is the blank. */
  readonly labels: readonly string[];
  /** The longest target in symbols; the graph grows with it. */
  readonly maxTargetLength: number;
  /** The text between symbols, if a target is written as one text. */
  readonly separator: string;
  /** The mean over sequences of each loss divided by its number of symbols, or the sum (`ctc_loss_reduction`). */
  readonly reduction: "mean" | "sum";
  /**
   * Whether targets that are too long for their texts have a loss of 0 (`ctc_zero_infinity`) instead of being an error.
   */
  readonly zeroInfinity: boolean;
  /** Dropout on the hidden states. */
  readonly finalDropout: number;
  /** Names of the columns, if they differ. */
  readonly columns: Readonly<Record<string, string>>;
}

type Input = Partial<CtcOptions> & { labels: readonly string[] };

/**
 * Connectionist temporal classification (Graves et al. 2006) over the positions of an encoder: `text`, `target` (a list
 * of symbols, or a text whose characters they are). Predictions are the likeliest class of each position, without
 * repetitions and blanks.
 *
 * @example
 * ```ts
 * import { ctc } from "attune/tasks/ctc";
 * console.assert(ctc({ labels: ["a", "b"] }).subtasks[0]?.losses[0]?.target === "labels");
 * ```
 */
export const ctc: Factory<"task", Input> = define({
  kind: "task",
  name: "ctc",
  schema: v.strictObject({
    labels: v.pipe(
      v.array(v.string()),
      v.minLength(1),
      v.check((l) => new Set(l).size === l.length, "distinct labels"),
    ),
    maxTargetLength: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.tokens)), 32),
    separator: v.optional(v.string(), ""),
    reduction: v.optional(v.picklist(["mean", "sum"]), "mean"),
    zeroInfinity: v.optional(v.boolean(), false),
    finalDropout: v.optional(v.pipe(v.number(), v.minValue(0), v.ltValue(1)), 0),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  }),
  create: ({ labels, maxTargetLength, separator, reduction, zeroInfinity, finalDropout, columns }: CtcOptions) => ({
    subtasks: [{
      name: "",
      collator: { use: "ctc", with: { labels, maxTargetLength, zeroInfinity, columns } },
      heads: [{ use: "ctc", with: { numLabels: labels.length + 1, finalDropout } }],
      losses: [{ loss: { use: "ctc", with: { reduction, zeroInfinity } }, output: "logits", target: "labels" }],
      metrics: ["cer"],
      modelClass: "ForCTC",
      decode: ({ logits }, batch) => ({
        text: likeliest(logits, batch).map((classes, i) => ({
          prediction: textOf(classes, labels, separator),
          references: [textOf(targetOf(batch.inputs.labels, i), labels, separator)],
        })),
      }),
      predict: ({ logits }, batch) =>
        likeliest(logits, batch).map((classes) => ({
          text: textOf(classes, labels, separator),
          symbols: classes.map((c) => labels[c - 1] ?? ""),
        })),
    }],
  }),
});

/** Returns each sequence's classes: the likeliest at each position, without repetitions and blanks. */
function likeliest(logits: Tensor | undefined, batch: Batch): number[][] {
  const width = logits?.dims.at(-1) ?? 1;
  const symbols: number[][] = Array.from({ length: batch.sequences }, () => []);
  const before: number[] = symbols.map(() => 0);
  for (let place = 0; place < batch.tokenOrigins.length / 2; place++) {
    const sequence = batch.tokenOrigins[2 * place] ?? -1;
    const sequenceSymbols = symbols[sequence];
    if (!sequenceSymbols) continue;
    let best = 0;
    for (let c = 1; c < width; c++) {
      if (Number(logits?.data[place * width + c]) > Number(logits?.data[place * width + best])) best = c;
    }
    if (best !== 0 && best !== before[sequence]) sequenceSymbols.push(best);
    before[sequence] = best;
  }
  return symbols;
}

function targetOf(labels: Tensor | undefined, i: number): number[] {
  const width = labels?.dims[1] ?? 0;
  return Array.from({ length: width }, (_, k) => Number(labels?.data[i * width + k])).filter((c) => c > 0);
}

function textOf(classes: readonly number[], labels: readonly string[], separator: string): string {
  return classes.map((c) => labels[c - 1] ?? "").join(separator);
}
