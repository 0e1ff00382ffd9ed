/**
 * The objective of classifying by filling a gap: prompts and verbalizers.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import type { Factory, Named, Row } from "../../core/types.ts";
import { classificationTask } from "./sequence_classification.ts";

/** Options of {@link promptClassification}. */
export interface PromptClassificationOptions {
  /** A text with columns in braces and one `{mask}`, which a causal model has at its end. */
  readonly template: string;
  /** Words that say each label, labels in the order of their ids. */
  readonly verbalizer: Named<readonly string[]>;
  /** Which language head fills the gap: that of masked tokens, or that of next ones. */
  readonly lm: "masked" | "causal";
  /** A word's score: the logit of its first token, or its likelihood over all of its tokens, of causal models. */
  readonly scoring: "token" | "likelihood";
  /** Rows with labels that stand in front of every prompt, answered: in-context learning. */
  readonly demonstrations: readonly Row[];
  /** The text that follows each demonstration. */
  readonly separator: string;
  /** False: states are held against the word embeddings, where a checkpoint has no language head of its own. */
  readonly transform: boolean;
  /** Where the columns are, where not under their own names. */
  readonly columns: Readonly<Record<string, string>>;
}

type Input =
  & Readonly<{ template: string; verbalizer: Named<readonly string[]> }>
  & Partial<Omit<PromptClassificationOptions, "template" | "verbalizer">>;

const words = v.pipe(v.array(v.pipe(v.string(), v.minLength(1))), v.minLength(1));

/** Schema of {@link PromptClassificationOptions}. */
export const promptClassificationSchema: v.GenericSchema<Input, PromptClassificationOptions> = v.pipe(
  v.strictObject({
    template: v.pipe(v.string(), v.check((t) => t.split("{mask}").length === 2, "one {mask}")),
    verbalizer: v.pipe(
      v.record(v.string(), words),
      v.check((labels) => Object.keys(labels).length >= 2, "words of two labels at least"),
    ),
    lm: v.optional(v.picklist(["masked", "causal"]), "masked"),
    scoring: v.optional(v.picklist(["token", "likelihood"]), "token"),
    demonstrations: v.optional(v.array(v.record(v.string(), v.unknown())), []),
    separator: v.optional(v.string(), "\n"),
    transform: v.optional(v.boolean(), true),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  }),
  v.check(
    (o) => o.lm === "masked" || o.template.endsWith("{mask}"),
    "a template that ends in {mask}, where lm is causal",
  ),
  v.check((o) => o.lm === "causal" || o.scoring === "token", "scoring by token, where lm is masked"),
);

/**
 * Classes told by the words that a language model puts into a template (PET, Schick & Schütze 2021; OpenPrompt): the
 * logit of a class is the mean over its words. With any adapter, or with none and `demonstrations` in front, which is
 * in-context learning (Brown et al. 2020). Rows as `sequence-classification` has them.
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
  schema: promptClassificationSchema,
  create: ({ transform, ...prompt }) => {
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
