/**
 * The prompt that a language model completes with a class's word: the options of the task and of its collator.
 * @module
 */
import * as v from "valibot";
import type { Named, Row } from "../../core/types.ts";

/** A prompt, and the words that say each class. */
export interface PromptedTextOptions {
  /** A text with columns in braces and one `{mask}`, which a causal model has at its end: "{text} It was {mask}." */
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
  /** Where the columns are, where not under their own names. */
  readonly columns: Readonly<Record<string, string>>;
}

/** Options as a caller writes them: those with defaults may be left out. */
export type PromptedTextInput =
  & Pick<PromptedTextOptions, "template" | "verbalizer">
  & Partial<Omit<PromptedTextOptions, "template" | "verbalizer">>;

/** The place in a template that is filled. */
export const PROMPT_GAP = "{mask}";

const words = v.pipe(v.array(v.pipe(v.string(), v.minLength(1))), v.minLength(1));

/** The fields of the schema of {@link PromptedTextOptions}. */
export const promptedTextEntries:
  & {
    readonly [K in "template" | "verbalizer"]: v.GenericSchema<PromptedTextOptions[K]>;
  }
  & {
    readonly [K in Exclude<keyof PromptedTextOptions, "template" | "verbalizer">]: v.OptionalSchema<
      v.GenericSchema<PromptedTextOptions[K]>,
      PromptedTextOptions[K]
    >;
  } = {
    template: v.pipe(v.string(), v.check((t) => t.split(PROMPT_GAP).length === 2, `one ${PROMPT_GAP}`)),
    verbalizer: v.pipe(
      v.record(v.string(), words),
      v.check((labels) => Object.keys(labels).length >= 2, "words of two labels at least"),
    ),
    lm: v.optional(v.picklist(["masked", "causal"]), "masked"),
    scoring: v.optional(v.picklist(["token", "likelihood"]), "token"),
    demonstrations: v.optional(v.array(v.record(v.string(), v.unknown())), []),
    separator: v.optional(v.string(), "\n"),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  };
