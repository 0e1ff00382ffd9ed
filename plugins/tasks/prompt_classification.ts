/**
 * The objective of classifying by filling a gap: prompts and verbalizers.
 * @module
 */
import * as v from "valibot";
import {
  PROMPT_GAP,
  promptedTextEntries,
  type PromptedTextInput,
  type PromptedTextOptions,
} from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { classificationTask } from "../../blocks/task/mod.ts";

/** Options of {@link promptClassification}. */
export interface PromptClassificationOptions extends PromptedTextOptions {
  /** False: hidden states are compared directly with word embeddings, for checkpoints without an LM head. */
  readonly transform: boolean;
}

type Input = PromptedTextInput & Partial<PromptClassificationOptions>;

/**
 * Classification by the words that a language model fills into a template (PET, Schick & Schütze 2021; OpenPrompt): the
 * logit of a class is the mean over its words. It works with any adapter, or with `demonstrations` and none: in-context
 * learning (Brown et al. 2020). Rows are those of `sequence-classification`.
 *
 * @example
 * ```ts
 * import { promptClassification } from "attune/tasks/prompt-classification";
 * const { subtasks } = promptClassification({
 *   template: "{text} It was {mask}.",
 *   verbalizer: { negative: ["bad", "terrible"], positive: ["good", "great"] },
 * });
 * console.assert(subtasks[0]?.modelClass === "ForMaskedLM");
 * ```
 */
export const promptClassification: Factory<"task", Input> = define({
  kind: "task",
  name: "prompt-classification",
  schema: v.pipe(
    v.strictObject({ ...promptedTextEntries, transform: v.optional(v.boolean(), true) }),
    v.check(
      (o) => o.lm === "masked" || o.template.endsWith(PROMPT_GAP),
      "a template that ends in {mask}, because lm is causal",
    ),
    v.check((o) => o.lm === "causal" || o.scoring === "token", 'scoring "token", because lm is masked'),
  ),
  create: ({ transform, ...prompt }: PromptClassificationOptions) => {
    const { verbalizer, lm, scoring } = prompt;
    const labels = Object.keys(verbalizer);
    const { taskType: _, config: __, withConfig: ___, ...task } = classificationTask({
      labels,
      problemType: "single-label",
      columns: {},
    });
    const counts = Object.values(verbalizer).map((words) => words.length);
    return {
      subtasks: [{
        ...task,
        collator: { use: "prompt", with: prompt },
        heads: [{ use: "verbalizer", with: { words: counts, lm, scoring, transform } }],
        ...(lm === "causal" ? { taskType: "CAUSAL_LM" } : { modelClass: "ForMaskedLM" }),
      }],
    };
  },
});
