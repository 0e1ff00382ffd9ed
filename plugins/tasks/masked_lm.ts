/**
 * The objective of predicting masked tokens.
 * @module
 */
import { type MaskedTextOptions, maskedTextSchema } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory, Json, Named, Tensor, Tokenizer } from "../../core/types.ts";
import { tokenPlaces, tokenReadings } from "../../blocks/task/mod.ts";

/**
 * Masked language modelling (Devlin et al. 2019): `text`; the loss is one mean over all masked tokens of a step.
 *
 * @example
 * ```ts
 * import { maskedLm } from "attune/tasks/masked-lm";
 * console.assert(maskedLm({ mlmProbability: 0.3 }).subtasks[0]?.heads[0] === "mlm");
 * ```
 */
export const maskedLm: Factory<"task", Partial<MaskedTextOptions>> = define({
  kind: "task",
  name: "masked-lm",
  schema: maskedTextSchema,
  create: (options) => ({
    subtasks: [{
      name: "",
      collator: { use: "masked-lm", with: options },
      heads: ["mlm"],
      losses: [{ loss: { use: "cross-entropy", with: { over: "step" } }, output: "logits", target: "labels" }],
      metrics: ["perplexity", "accuracy"],
      modelClass: "ForMaskedLM",
      reads: ["predictions", "logProbabilities"],
      decode: tokenReadings,
      placesOf: tokenPlaces,
      predict: (outputs, batch, tokenizer) =>
        filled(outputs, batch.inputs.input_ids, batch.tokenOrigins, batch.sequences, tokenizer),
    }],
  }),
});

/** Returns each text with its masks filled, and the tokens filled in with their probabilities. */
function filled(
  { logits }: Named<Tensor>,
  ids: Tensor | undefined,
  places: Int32Array,
  sequences: number,
  tokenizer: Tokenizer,
): readonly Named<Json>[] {
  const texts: number[][] = Array.from({ length: sequences }, () => []);
  const fills: { token: string; score: number }[][] = Array.from({ length: sequences }, () => []);
  const width = logits?.dims.at(-1) ?? 1;
  for (let place = 0; place < places.length / 2; place++) {
    const sequence = places[2 * place] ?? -1;
    if (sequence < 0) continue;
    const id = Number(ids?.data[place]);
    if (id !== tokenizer.specialTokenIds.mask) {
      texts[sequence]?.push(id);
      continue;
    }
    const row = (logits?.data as Float32Array).subarray(place * width, (place + 1) * width);
    const best = row.reduce((top, x, i) => (x > (row[top] ?? -Infinity) ? i : top), 0);
    const most = row[best] ?? 0;
    const total = row.reduce((sum, x) => sum + Math.exp(x - most), 0);
    texts[sequence]?.push(best);
    fills[sequence]?.push({ token: tokenizer.decode([best]), score: 1 / total });
  }
  return texts.map((text, i) => ({ text: tokenizer.decode(text, { skipSpecialTokens: true }), fills: fills[i] ?? [] }));
}
