/**
 * Rows of text, of a conversation, or of a prompt and its completion to samples of next-token prediction.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import { badValue } from "../../core/errors.ts";
import type { CollatorContext, Encoding, Factory, Field, Json, Named, Row, Sample } from "../../core/types.ts";
import { idsOf, missingColumn, textOf } from "./columns.ts";

/** Options of {@link causalLm}. */
export interface CausalLmOptions {
  /** Which tokens are learned: every one, those that the assistant says, or those of the completion. */
  readonly lossOn: "all" | "assistant" | "completion";
  /** Where the columns are, where not under their own names: `{ "text": "body" }`. */
  readonly columns: Readonly<Record<string, string>>;
}

/** Schema of {@link CausalLmOptions}. */
export const causalLmSchema: v.GenericSchema<Partial<CausalLmOptions>, CausalLmOptions> = v.strictObject({
  lossOn: v.optional(v.picklist(["all", "assistant", "completion"]), "all"),
  columns: v.optional(v.record(v.string(), v.string()), {}),
});

const NAME = "causal-lm";

/** Labels of this value do not count. */
const IGNORE = -100;

/**
 * `text`, `messages`, or `prompt` and `completion` → input_ids, and `labels`, which the place before each token predicts. Rows that have `input_ids` (and `labels` beside their own tokens) are taken as they are. Without labels a row is
 * what a completion is wanted of: `completion` is not read, and a conversation ends where the assistant would begin.
 *
 * @throws AttuneError from `encode` where a column is missing.
 * @example
 * ```ts
 * import { causalLm } from "attune/collators/causal-lm";
 * console.assert(causalLm({ lossOn: "assistant" }).name === "causal-lm");
 * ```
 */
export const causalLm: Factory<"collator", Partial<CausalLmOptions>> = define({
  kind: "collator",
  name: "causal-lm",
  schema: causalLmSchema,
  create: (options) => ({
    encode: (row, index, context) => {
      const { ids, learned } = tokensOf(row, index, options, context);
      if (ids.length === 0) throw badValue(NAME, `row ${index}`, 0, "at least one token");
      const sample: Sample = {
        sequences: [{
          length: ids.length,
          fields: {
            input_ids: { per: "token", data: ids, fill: context.tokenizer.special.pad ?? 0 },
            ...(context.labelled ? { labels: labelsOf(learned) } : {}),
          },
        }],
        targets: {},
        row: index,
      };
      return [sample];
    },
  }),
});

/** Tokens, and what each counts as: its own id, or IGNORE. */
type Tokens = Readonly<{ ids: Int32Array; learned: Int32Array }>;

// A place predicts the token behind it, so nothing predicts the first one; core refuses data of which nothing is learned.
function labelsOf(learned: Int32Array): Field {
  const data = Int32Array.from(learned);
  return { per: "token", data, fill: IGNORE, ignore: IGNORE, shift: 1 };
}

function tokensOf(row: Row, index: number, { lossOn, columns }: CausalLmOptions, context: CollatorContext): Tokens {
  const { tokenizer, maxLength, labelled } = context;
  const column = (name: string): string => columns[name] ?? name;
  // What is to be completed is not cut: it would be completed somewhere else.
  const most = labelled ? maxLength : undefined;
  const cut = (ids: Int32Array): Int32Array => ids.subarray(0, most);
  const only = (use: CausalLmOptions["lossOn"], name: string): void => {
    if (!labelled || lossOn === "all" || lossOn === use) return;
    const allowed = use === "all" ? '"all"' : `"all" or "${use}"`;
    throw badValue(NAME, "task.with.lossOn", lossOn, `${allowed}, for rows of "${name}" (row ${index})`);
  };
  if ("input_ids" in row) {
    const ids = idsOf(NAME, row, index, "input_ids");
    const learned = "labels" in row ? idsOf(NAME, row, index, "labels", IGNORE) : ids;
    if (learned.length !== ids.length) {
      throw badValue(NAME, `row ${index}`, [ids.length, learned.length], "input_ids and labels of one length");
    }
    return { ids, learned };
  }
  if (column("messages") in row) {
    only("assistant", "messages");
    const messages = conversation(row, index, column("messages"));
    const { text, assistant } = tokenizer.chat(messages, {
      addGenerationPrompt: !labelled,
      ...besides(row, index, column),
    });
    const offsets = labelled && lossOn === "assistant";
    const [encoding] = tokenizer.encode(text, { addSpecialTokens: false, offsets });
    const ids = cut(encoding.ids);
    return { ids, learned: offsets ? spoken(encoding, ids, assistant) : ids };
  }
  if (column("prompt") in row) {
    only("completion", "prompt");
    const prompt = textOf(NAME, row, index, column("prompt"));
    const alone = (): Int32Array => tokenizer.encode(prompt, { offsets: false })[0].ids;
    if (!labelled) return { ids: cut(alone()), learned: new Int32Array(0) };
    const completion = textOf(NAME, row, index, column("completion"));
    const ids = cut(tokenizer.encode(prompt + completion, { offsets: false })[0].ids);
    if (lossOn !== "completion") return { ids, learned: ids };
    return { ids, learned: Int32Array.from(ids).fill(IGNORE, 0, alone().length) };
  }
  if (!(column("text") in row)) throw missingColumn(NAME, row, index, column("text"));
  only("all", "text");
  const text = textOf(NAME, row, index, column("text"));
  const [{ ids }] = tokenizer.encode(text, { maxLength: most, truncation: most !== undefined, offsets: false });
  return { ids, learned: ids };
}

/** The tokens that reach into a span. */
function spoken(
  { offsets }: Encoding,
  ids: Int32Array,
  spans: readonly (readonly [start: number, end: number])[],
): Int32Array {
  return ids.map((id, i) => {
    const [from = 0, to = 0] = offsets.subarray(2 * i, 2 * i + 2);
    // The first bytes of a character of several tokens are as wide as nothing.
    return spans.some(([start, end]) => from < end && Math.max(to, from + 1) > start) ? id : IGNORE;
  });
}

function conversation(row: Row, index: number, column: string): readonly Named<Json>[] {
  const value = row[column];
  const isMessage = (x: unknown): boolean => {
    const { role, content } = (x ?? {}) as { role?: unknown; content?: unknown };
    const fits = content === undefined || content === null || typeof content === "string" || Array.isArray(content);
    return typeof role === "string" && fits;
  };
  if (Array.isArray(value) && value.length > 0 && value.every(isMessage)) return value as Named<Json>[];
  throw badValue(
    NAME,
    `row ${index}, column "${column}"`,
    value,
    "messages of texts: role, content",
  );
}

/** What a conversation's template is given besides its messages: the functions that may be called, and a row's own. */
function besides(
  row: Row,
  index: number,
  column: (name: string) => string,
): Readonly<{ tools?: readonly Json[]; variables?: Named<Json> }> {
  // Some files hold them as text, since their columns have one type.
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
