/**
 * Fills rows into a template with one gap; the word that a language model puts there gives the class.
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
import { badValue, missing, show, unsupported } from "../../core/base/errors.ts";
import type { CollatorContext, Factory, Field, Named, Row, Sample, Tokenizer } from "../../core/types.ts";
import { classesOf, missingColumn, optionalText, readColumns, textOf, tokenFields } from "../../blocks/collator/mod.ts";

const NAME = "prompt";
const IGNORE = -100;

/**
 * Columns of the template → input_ids, the position of the gap, and ids of the label words; `label` → `labels`. A
 * prompt that is too long loses the end of its longest column, never of the template.
 *
 * @throws AttuneError from `encode` if a column is missing, a word is not in the vocabulary, or words of two labels
 * begin with the same token.
 * @example
 * ```ts
 * import { prompt } from "attune/collators/prompt";
 * const words = { negative: ["bad"], positive: ["good", "great"] };
 * console.assert(prompt({ template: "{text} It was {mask}.", verbalizer: words }).name === "prompt");
 * ```
 */
export const prompt: Factory<"collator", PromptedTextInput> = define({
  kind: "collator",
  name: NAME,
  schema: v.strictObject(promptedTextEntries),
  create: (options: PromptedTextOptions) => {
    let known: Readonly<{ tokenizer: Tokenizer; words: readonly Int32Array[] }> | undefined;
    const labels = Object.keys(options.verbalizer);
    const wordsFor = (tokenizer: Tokenizer): readonly Int32Array[] => {
      if (known?.tokenizer !== tokenizer) known = { tokenizer, words: labelWords(options, tokenizer) };
      return known.words;
    };
    return {
      oneEach: true,
      columns: readColumns(options.columns, {
        texts: placeholders(options.template),
        others: ["label"],
        classes: { label: labels },
      }),
      encode: (row, index, context) => {
        const words = wordsFor(context.tokenizer);
        const longest = options.scoring === "token" ? 0 : Math.max(...words.map((ids) => ids.length));
        const { ids, typeIds, gap } = encodePrompted(row, index, options, context, longest);
        const sequence = (ids: Int32Array, types: Int32Array, answer: Field): Sample["sequences"][number] => ({
          length: ids.length,
          fields: {
            ...tokenFields(context.tokenizer, ids, types),
            answer,
          },
        });
        const filled = (length: number, from: number, values: Int32Array): Int32Array => {
          const data = new Int32Array(length).fill(IGNORE);
          data.set(values, from);
          return data;
        };
        const label: Record<string, Field> = context.requiresLabels
          ? { labels: { axis: "sample", data: Int32Array.of(labelOf(row, index, labels, options)), padValue: IGNORE } }
          : {};
        if (options.scoring === "token") {
          const data = filled(ids.length, gap, Int32Array.of(0));
          const first = Int32Array.from(words, (ids) => ids[0] ?? 0);
          const targets: Record<string, Field> = {
            ...label,
            "answer.words": { axis: "sample", data: first, padValue: 0, size: first.length },
          };
          return [{
            sequences: [sequence(ids, typeIds, { axis: "token", data, padValue: IGNORE, ignoreIndex: IGNORE })],
            targets,
            row: index,
          }];
        }
        const sequences = words.map((word) => {
          const all = Int32Array.from([...ids, ...word]);
          const data = filled(all.length, ids.length, word);
          const answer: Field = { axis: "token", data, padValue: IGNORE, ignoreIndex: IGNORE, shift: 1 };
          return sequence(all, new Int32Array(all.length), answer);
        });
        return [{ sequences, targets: label, row: index }];
      },
    };
  },
});

function labelOf(row: Row, index: number, labels: readonly string[], { columns }: PromptedTextOptions): number {
  const column = columns.label ?? "label";
  if (!(column in row)) throw missingColumn(NAME, row, index, column);
  return classesOf(NAME, labels)(row[column], `row ${index}, column "${column}"`);
}

/**
 * Returns the token ids of each label's words, one label after the other, tokenized as they follow the template's text
 * before the gap. Throws AttuneError if a word is unknown, or its first token is that of another label.
 */
function labelWords(
  { template, verbalizer, scoring }: PromptedTextOptions,
  tokenizer: Tokenizer,
): readonly Int32Array[] {
  const before = (template.split(PROMPT_GAP)[0] ?? "").split("}").at(-1) ?? "";
  const ids = (text: string): Int32Array => tokenizer.encode(text, { addSpecialTokens: false, offsets: false })[0].ids;
  const bare = ids(before.trimEnd());
  const taken = new Map<number, string>();
  return Object.entries(verbalizer).flatMap(([label, words]) =>
    words.map((word) => {
      const whole = ids(before + word);
      let same = 0;
      while (same < bare.length && bare[same] === whole[same]) same++;
      const wordIds = whole.subarray(same);
      const first = wordIds[0];
      if (first === undefined || wordIds.includes(tokenizer.specialTokenIds.unk ?? -1)) {
        throw badValue(NAME, `verbalizer.${label}`, word, "words that the tokenizer knows");
      }
      if (scoring === "token" && (taken.get(first) ?? label) !== label) {
        const other = `words that begin differently from those of "${taken.get(first)}"`;
        throw badValue(NAME, `verbalizer.${label}`, word, other);
      }
      taken.set(first, label);
      return wordIds;
    })
  );
}

type Prompted = Readonly<{ ids: Int32Array; typeIds: Int32Array; gap: number }>;

/**
 * Tokenizes the filled template within `maxLength` less `room`. `gap`: its position, for causal models the last token.
 */
function encodePrompted(
  row: Row,
  index: number,
  o: PromptedTextOptions,
  context: CollatorContext,
  room: number,
): Prompted {
  const { tokenizer, maxLength } = context;
  const mask = o.lm === "masked" ? tokenizer.specialTokenIds.mask : undefined;
  if (o.lm === "masked" && mask === undefined) throw missing(NAME, "a mask token (or lm: causal)", "the tokenizer");
  const gap = mask === undefined ? "" : tokenizer.decode([mask]);
  const shown = o.demonstrations.map((shown, i) => {
    const label = Object.keys(o.verbalizer)[labelOf(shown, i, Object.keys(o.verbalizer), o)] ?? "";
    return fill(o.template, columnsOf(shown, i, o), o.verbalizer[label]?.[0] ?? "").text + o.separator;
  }).join("");
  const values = columnsOf(row, index, o);
  const most = maxLength === undefined ? Infinity : maxLength - room;
  while (true) {
    const { text, at } = fill(o.template, values, gap);
    const whole = o.lm === "causal" ? (shown + text).trimEnd() : shown + text;
    const [encoding] = tokenizer.encode(whole, { offsets: mask !== undefined });
    const { ids, typeIds } = encoding;
    if (ids.length <= most) {
      return { ids, typeIds, gap: mask === undefined ? ids.length - 1 : placeOf(encoding, shown.length + at, mask) };
    }
    const longest = Object.keys(values).reduce((a, b) => ((values[b]?.length ?? 0) > (values[a]?.length ?? 0) ? b : a));
    const cut = shortened(values[longest] ?? "", ids.length - most, tokenizer);
    if (cut === values[longest]) {
      throw unsupported(
        NAME,
        "training.maxLength",
        maxLength,
        `the prompt of row ${index} is longer even without its texts`,
      );
    }
    values[longest] = cut;
  }
}

/** Returns the position of the gap's token: the mask token nearest to a character of the text. */
function placeOf(
  { ids, offsets }: Readonly<{ ids: Int32Array; offsets: Int32Array }>,
  at: number,
  mask: number,
): number {
  let best = -1;
  ids.forEach((id, i) => {
    if (id === mask && (best < 0 || distance(i) < distance(best))) best = i;
  });
  function distance(i: number): number {
    return Math.abs((offsets[2 * i] ?? 0) - at);
  }
  if (best < 0) throw missing(NAME, "the mask", "the tokenized template");
  return best;
}

/** Removes the last `tokens` tokens of a text. */
function shortened(text: string, tokens: number, tokenizer: Tokenizer): string {
  const [{ ids, offsets }] = tokenizer.encode(text, { addSpecialTokens: false, offsets: true });
  const length = Math.max(0, ids.length - tokens);
  return length === 0 ? "" : text.slice(0, Math.min(text.length - 1, offsets[2 * length - 1] ?? 0));
}

/** Returns the names of the columns in a template. */
function placeholders(template: string): string[] {
  return [...template.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name).filter((name) => `{${name}}` !== PROMPT_GAP);
}

function columnsOf(row: Row, index: number, { template, columns }: PromptedTextOptions): Record<string, string> {
  const names = placeholders(template);
  if (names.length === 0) throw badValue(NAME, "template", show(template), "a column, as {text}");
  return Object.fromEntries(names.map((name) => {
    const column = columns[name] ?? name;
    const value = name === "textPair" ? optionalText(NAME, row, index, column) ?? "" : textOf(NAME, row, index, column);
    return [name, value];
  }));
}

/** Fills the template's columns and gap; `at`: where the gap is. */
function fill(template: string, values: Named<string>, gap: string): Readonly<{ text: string; at: number }> {
  const put = (part: string): string => part.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "");
  const [before = "", behind = ""] = template.split(PROMPT_GAP).map(put);
  return { text: before + gap + behind, at: before.length };
}
