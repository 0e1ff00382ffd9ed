/**
 * Turns texts, conversations, or prompts with completions into samples of next-token prediction.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import type {
  CollatorContext,
  Encoding,
  Factory,
  Field,
  Json,
  Named,
  Question,
  Row,
  Sample,
  Tokenizer,
} from "../../core/types.ts";
import { idsOf, missingColumn, readColumns, textOf, tokenFields } from "../../blocks/collator/mod.ts";

/** Options of {@link causalLm}. */
export interface CausalLmOptions {
  /** Which tokens are learned: all, those of the assistant, or those of the completion. */
  readonly lossOn: "all" | "assistant" | "completion";
  /**
   * Whether the tokenizer's end token is appended to each row and learned, unless the row is cut or ends with it
   * already. By default, only to rows with prompt and completion.
   */
  readonly addEosToken?: boolean;
  /**
   * Which of the assistant's turns are generated in evaluation: all, each after the true turns before it, or only the
   * last.
   */
  readonly evaluateTurns: "all" | "last";
  /** Names of the columns, if they differ: `{ "text": "body" }`. */
  readonly columns: Readonly<Record<string, string>>;
}

const NAME = "causal-lm";

/** The label value that losses ignore. */
const IGNORE = -100;

/**
 * `text`, `messages`, or `prompt` and `completion` → input_ids, and `labels`, each predicted at the position before its
 * token. Messages have `role` and `content`, or ShareGPT's `from` and `value`. Rows with `input_ids` (and perhaps
 * `labels`) are used unchanged. Without labels a row is a prompt to be completed: `completion` is not read, and a
 * conversation ends where the assistant would begin, or begins its last turn.
 *
 * @throws AttuneError from `encode` if a column is missing.
 * @example
 * ```ts
 * import { causalLm } from "attune/collators/causal-lm";
 * console.assert(causalLm({ lossOn: "assistant" }).name === "causal-lm");
 * ```
 */
export const causalLm: Factory<"collator", Partial<CausalLmOptions>> = define({
  kind: "collator",
  name: "causal-lm",
  schema: v.strictObject({
    lossOn: v.optional(v.picklist(["all", "assistant", "completion"]), "all"),
    addEosToken: v.optional(v.boolean()),
    evaluateTurns: v.optional(v.picklist(["all", "last"]), "all"),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  }),
  create: (options: CausalLmOptions) => ({
    oneEach: true,
    columns: readColumns(options.columns, {
      texts: ["text", "messages", "prompt", "completion"],
      optional: ["text", "messages", "prompt", "completion"],
      learned: ["completion"],
      others: ["tools", "chat_template_kwargs"],
    }),
    encode: (row, index, context) => [sampleOf(tokensOf(row, index, options, context), index, context)],
    questions: (row, index, context) => questionsOf(row, index, options, { ...context, requiresLabels: false }),
  }),
});

function sampleOf(
  { ids, learned }: Tokens,
  index: number,
  { tokenizer, requiresLabels: labelled }: CollatorContext,
): Sample {
  if (ids.length === 0) throw badValue(NAME, `row ${index}`, 0, "at least one token");
  return {
    sequences: [{
      length: ids.length,
      fields: {
        ...tokenFields(tokenizer, ids),
        ...(labelled ? { labels: labelsOf(learned) } : {}),
      },
    }],
    targets: {},
    row: index,
  };
}

/** Tokens and their labels: the token's own id, or IGNORE. */
type Tokens = Readonly<{ ids: Int32Array; learned: Int32Array }>;

// A position predicts the next token, so nothing predicts the first; core refuses data without any label.
function labelsOf(learned: Int32Array): Field {
  const data = Int32Array.from(learned);
  return { axis: "token", data, padValue: IGNORE, ignoreIndex: IGNORE, shift: 1 };
}

function tokensOf(row: Row, index: number, options: CausalLmOptions, context: CollatorContext): Tokens {
  const { lossOn, columns } = options;
  const { tokenizer, maxLength, requiresLabels: labelled } = context;
  const column = (name: string): string => columns[name] ?? name;
  if (options.addEosToken && tokenizer.specialTokenIds.eos === undefined) {
    throw badValue(NAME, "task.with.addEosToken", true, "false, because the tokenizer has no end token");
  }
  const only = (use: CausalLmOptions["lossOn"], name: string): void => {
    if (!labelled || lossOn === "all" || lossOn === use) return;
    const allowed = use === "all" ? '"all"' : `"all" or "${use}"`;
    throw badValue(NAME, "task.with.lossOn", lossOn, `${allowed}, for rows of "${name}" (row ${index})`);
  };
  if ("input_ids" in row) return idsAndLabels(row, index);
  if (column("messages") in row) {
    only("assistant", "messages");
    const conversed = conversation(row, index, column("messages"));
    const messages = labelled || conversed.at(-1)?.role !== "assistant" ? conversed : conversed.slice(0, -1);
    const { text, assistant } = tokenizer.applyChatTemplate(messages, {
      addGenerationPrompt: !labelled,
      ...templateVariables(row, index, column),
    });
    const offsets = labelled && lossOn === "assistant";
    const [encoding] = tokenizer.encode(text, { addSpecialTokens: false, offsets });
    const whole = encoding.ids;
    return ended(whole, offsets ? spoken(encoding, whole, assistant) : whole, options.addEosToken, context);
  }
  if (column("prompt") in row) {
    only("completion", "prompt");
    const prompt = textOf(NAME, row, index, column("prompt"));
    if (!labelled) return { ids: opening(prompt, tokenizer), learned: new Int32Array(0) };
    const text = prompt + textOf(NAME, row, index, column("completion"));
    const { ids } = tokenizer.encode(text, { offsets: false })[0];
    const learned = lossOn === "completion" ? completed(ids, prompt, text, tokenizer) : ids;
    return ended(ids, learned, options.addEosToken ?? true, context);
  }
  if (!(column("text") in row)) throw missingColumn(NAME, row, index, column("text"));
  only("all", "text");
  const text = textOf(NAME, row, index, column("text"));
  if (!labelled) return { ids: opening(text, tokenizer), learned: new Int32Array(0) };
  const [{ ids }] = tokenizer.encode(text, { maxLength, truncation: maxLength !== undefined, offsets: false });
  return ended(ids, ids, options.addEosToken, context);
}

function idsAndLabels(row: Row, index: number): Tokens {
  const ids = idsOf(NAME, row, index, "input_ids");
  const learned = "labels" in row ? idsOf(NAME, row, index, "labels", IGNORE) : ids;
  if (learned.length !== ids.length) {
    throw badValue(NAME, `row ${index}`, [ids.length, learned.length], "input_ids and labels of one length");
  }
  return { ids, learned };
}

/** Cuts tokens to the run's maximum length, and appends the end token if there is room and none yet. */
function ended(
  ids: Int32Array,
  learned: Int32Array,
  wanted: boolean | undefined,
  { tokenizer, maxLength = Infinity, requiresLabels: labelled }: CollatorContext,
): Tokens {
  // Prompts are not cut: the completion would start elsewhere.
  if (!labelled) return { ids, learned };
  const { eos } = tokenizer.specialTokenIds;
  if (!wanted || eos === undefined || ids.length >= maxLength || ids.at(-1) === eos) {
    return { ids: ids.subarray(0, maxLength), learned: learned.subarray(0, maxLength) };
  }
  return { ids: Int32Array.of(...ids, eos), learned: Int32Array.of(...learned, eos) };
}

/** Tokenizes a text that is to be continued: without the special tokens after a complete text. */
function opening(text: string, tokenizer: Tokenizer): Int32Array {
  const [{ ids, specialTokensMask }] = tokenizer.encode(text, { offsets: false });
  const last = specialTokensMask.lastIndexOf(0);
  if (last >= 0) return ids.subarray(0, last + 1);
  return ids.at(-1) === tokenizer.specialTokenIds.eos ? ids.subarray(0, -1) : ids;
}

/**
 * Returns the completion's labels: the tokens after the prompt's or, if these differ, those reaching beyond the prompt.
 */
function completed(ids: Int32Array, prompt: string, text: string, tokenizer: Tokenizer): Int32Array {
  const alone = opening(prompt, tokenizer);
  if (alone.length <= ids.length && alone.every((id, i) => id === ids[i])) {
    return Int32Array.from(ids).fill(IGNORE, 0, alone.length);
  }
  const [{ offsets, specialTokensMask }] = tokenizer.encode(text);
  const first = ids.findIndex((_, i) => specialTokensMask[i] === 0 && (offsets[2 * i + 1] ?? 0) > prompt.length);
  // An empty completion is only the end token.
  const end = specialTokensMask.lastIndexOf(0) + 1;
  return Int32Array.from(ids).fill(IGNORE, 0, first < 0 ? end : first);
}

/** Returns the questions of an evaluation: the prompt, or the messages before each of the assistant's turns. */
function questionsOf(row: Row, index: number, options: CausalLmOptions, context: CollatorContext): Question[] {
  const column = (name: string): string => options.columns[name] ?? name;
  const { tokenizer } = context;
  if ("input_ids" in row) return readyQuestions(row, index, context);
  if (column("messages") in row) {
    const messages = conversation(row, index, column("messages"));
    const turns = messages.flatMap((m, i) => (m.role === "assistant" && i > 0 ? [i] : []));
    return (options.evaluateTurns === "last" ? turns.slice(-1) : turns).map((i) => {
      const before = messages.slice(0, i);
      return {
        sample: behind(before, row, index, column, context),
        prompt: before.map(wordsOf).join(" | "),
        reference: answerOf(messages, i, row, index, column, tokenizer),
      };
    });
  }
  if (!(column("prompt") in row)) return [];
  const prompt = textOf(NAME, row, index, column("prompt"));
  const sample = sampleOf(tokensOf(row, index, options, context), index, context);
  return [{ sample, prompt, reference: textOf(NAME, row, index, column("completion")) }];
}

/** Returns a conversation up to where the assistant begins to speak. */
function behind(
  messages: readonly Named<Json>[],
  row: Row,
  index: number,
  column: (name: string) => string,
  context: CollatorContext,
): Sample {
  const { text } = context.tokenizer.applyChatTemplate(messages, {
    addGenerationPrompt: true,
    ...templateVariables(row, index, column),
  });
  const [{ ids }] = context.tokenizer.encode(text, { addSpecialTokens: false, offsets: false });
  return sampleOf({ ids, learned: ids }, index, context);
}

/** Returns the text of a message in readable form. */
function wordsOf({ content }: Named<Json>): string {
  return typeof content === "string" ? content : JSON.stringify(content ?? "");
}

/**
 * Returns the assistant's answer in a turn: its text or, without any (a function call), the text of the chat template.
 */
function answerOf(
  messages: readonly Named<Json>[],
  i: number,
  row: Row,
  index: number,
  column: (name: string) => string,
  tokenizer: Tokenizer,
): string {
  const { content, ...more } = messages[i] ?? {};
  const plain = Object.values(more).filter((value) => value !== null).length === 1;
  if (typeof content === "string" && plain) return content;
  const { text, assistant } = tokenizer.applyChatTemplate(
    messages.slice(0, i + 1),
    templateVariables(row, index, column),
  );
  const [from, to] = assistant.at(-1) ?? [0, 0];
  const [{ ids }] = tokenizer.encode(text.slice(from, to), { addSpecialTokens: false, offsets: false });
  return tokenizer.decode(ids, { skipSpecialTokens: true });
}

/** Returns questions from token ids: each run of labels is an answer to the tokens before it. */
function readyQuestions(row: Row, index: number, context: CollatorContext): Question[] {
  const { tokenizer } = context;
  const { ids, learned } = idsAndLabels(row, index);
  const questions: Question[] = [];
  for (let start = 1; start < ids.length; start++) {
    if (learned[start] === IGNORE || learned[start - 1] !== IGNORE) continue;
    let end = start;
    while (end < ids.length && learned[end] !== IGNORE) end++;
    const before = ids.subarray(0, start);
    questions.push({
      sample: sampleOf({ ids: before, learned: before }, index, context),
      prompt: tokenizer.decode(before, { skipSpecialTokens: true }),
      reference: tokenizer.decode(learned.subarray(start, end), { skipSpecialTokens: true }),
    });
  }
  return questions;
}

/** Returns the labels of tokens that overlap a span. */
function spoken(
  { offsets }: Encoding,
  ids: Int32Array,
  spans: readonly (readonly [start: number, end: number])[],
): Int32Array {
  return ids.map((id, i) => {
    const [from = 0, to = 0] = offsets.subarray(2 * i, 2 * i + 2);
    // The first tokens of a character that is split into several have width 0.
    return spans.some(([start, end]) => from < end && Math.max(to, from + 1) > start) ? id : IGNORE;
  });
}

/** Roles by the names in use for speakers in ShareGPT's format. */
const SPEAKERS: Readonly<Record<string, string>> = {
  human: "user",
  user: "user",
  gpt: "assistant",
  assistant: "assistant",
  system: "system",
  tool: "tool",
};

/** Returns a message, converted if it has ShareGPT's `from` and `value`; undefined if it is neither. */
function messageOf(row: unknown): Named<Json> | undefined {
  const { from, value, ...others } = (row ?? {}) as Named<Json>;
  const message = typeof from === "string" ? { ...others, role: SPEAKERS[from], content: value } : row;
  const { role, content } = (message ?? {}) as { role?: unknown; content?: unknown };
  const fits = content === undefined || content === null || typeof content === "string" || Array.isArray(content);
  return typeof role === "string" && fits ? message as Named<Json> : undefined;
}

function conversation(row: Row, index: number, column: string): readonly Named<Json>[] {
  const value = row[column];
  const messages = Array.isArray(value) ? value.map(messageOf) : [];
  if (messages.length > 0 && messages.every((message) => message !== undefined)) return messages;
  const speakers = Object.keys(SPEAKERS).join(", ");
  const wanted = `messages of texts: role, content, or as ShareGPT has them: from (${speakers}), value`;
  throw badValue(NAME, `row ${index}, column "${column}"`, value, wanted);
}

/** Returns the chat template's variables besides the messages: the tools, and variables of the row. */
function templateVariables(
  row: Row,
  index: number,
  column: (name: string) => string,
): Readonly<{ tools?: readonly Json[]; variables?: Named<Json> }> {
  // Some files have them as JSON text, since their columns must have one type.
  const read = (name: string): unknown => {
    const value = row[column(name)];
    if (typeof value !== "string") return value ?? undefined;
    try {
      return JSON.parse(value);
    } catch {
      throw badValue(NAME, `row ${index}, column "${column(name)}"`, value, "JSON");
    }
  };
  const [tools, variables] = [read("tools"), read("chat_template_kwargs")];
  if (tools !== undefined && !Array.isArray(tools)) {
    throw badValue(NAME, `row ${index}, column "${column("tools")}"`, tools, "a list of functions");
  }
  if (variables !== undefined && (typeof variables !== "object" || Array.isArray(variables))) {
    throw badValue(NAME, `row ${index}, column "${column("chat_template_kwargs")}"`, variables, "an object");
  }
  return { ...(tools ? { tools } : {}), ...(variables ? { variables: variables as Named<Json> } : {}) };
}
