/** Prompts that a language model completes with a word for a class: options shared by the task and its collator. */
import * as v from "valibot";
import type { Named, Row } from "../../core/types.ts";

/** A prompt, and the words for each class. */
export interface PromptedTextOptions {
  /** A text with columns in braces and one `{mask}`, at the end for a causal model: "{text} It was {mask}." */
  readonly template: string;
  /** The words for each label, with labels in the order of their ids. */
  readonly verbalizer: Named<readonly string[]>;
  /** Which language model head fills the gap: masked or causal. */
  readonly lm: "masked" | "causal";
  /** The score of a word: the logit of its first token, or (causal models) the likelihood of all of its tokens. */
  readonly scoring: "token" | "likelihood";
  /** Labelled rows to put, with their answers, before every prompt: in-context learning. */
  readonly demonstrations: readonly Row[];
  /** The text that follows each demonstration. */
  readonly separator: string;
  /** Names of the columns, if they differ. */
  readonly columns: Readonly<Record<string, string>>;
}

/** The options as a caller writes them: those with defaults may be omitted. */
export type PromptedTextInput =
  & Pick<PromptedTextOptions, "template" | "verbalizer">
  & Partial<Omit<PromptedTextOptions, "template" | "verbalizer">>;

/** The placeholder of the word that the model fills in. */
export const PROMPT_GAP = "{mask}";

const words = v.pipe(v.array(v.pipe(v.string(), v.minLength(1))), v.minLength(1));

/** Schema entries of {@link PromptedTextOptions}. */
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
      v.check((labels) => Object.keys(labels).length >= 2, "words for at least two labels"),
    ),
    lm: v.optional(v.picklist(["masked", "causal"]), "masked"),
    scoring: v.optional(v.picklist(["token", "likelihood"]), "token"),
    demonstrations: v.optional(v.array(v.record(v.string(), v.unknown())), []),
    separator: v.optional(v.string(), "\n"),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  };
