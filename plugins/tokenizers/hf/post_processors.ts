/** The post-processors of tokenizer.json: special tokens around texts, segment types, positions without blanks. */
import { unsupported } from "../../../core/base/errors.ts";
import { widthAt } from "./text/aligned.ts";
import type { Definition } from "./normalizers.ts";
import type { Tokens } from "./tokens.ts";

/** A run of a sequence: special tokens, or tokens of text 0 or 1. */
export type Stretch = {
  ids: readonly number[];
  types: readonly number[];
  special: boolean;
  /** For tokens of a text, the first of them. */
  source?: Readonly<{ sequence: 0 | 1; tokens: Tokens; from: number }>;
  /** Start, end, start, end ... in UTF-16 units. */
  offsets: number[];
};

/** Runs that further steps treat as one text. */
export type Joined = readonly Stretch[];

/** Combines the tokens of one or two texts. */
export type PostProcessor = Readonly<{
  /** Whether positions exclude blanks. */
  trims: boolean;
  added(pair: boolean): number;
  apply(texts: readonly Joined[], adds: boolean): readonly Joined[];
}>;

const none: PostProcessor = { trims: false, added: () => 0, apply: (texts) => texts };

/** Returns the post-processor of a definition. Throws AttuneError for an unknown type. */
export function postProcessorOf(definition: Definition | null | undefined): PostProcessor {
  if (!definition) return none;
  const trims = definition.trim_offsets === true;
  const trim = (texts: readonly Joined[]): void => {
    if (trims) { for (const text of texts) trimmed(text, definition.add_prefix_space === true); }
  };
  switch (definition.type) {
    case "Sequence": {
      const steps = (definition.processors as readonly Definition[]).map(postProcessorOf);
      return {
        trims: steps.some((step) => step.trims),
        added: (pair) => steps.reduce((n, step) => n + step.added(pair), 0),
        apply: (texts, adds) => steps.reduce((own, step) => step.apply(own, adds), texts),
      };
    }
    case "ByteLevel":
      return {
        trims,
        added: () => 0,
        apply: (texts) => {
          trim(texts);
          return texts;
        },
      };
    case "BertProcessing": {
      const [cls, sep] = [definition.cls, definition.sep].map((token) => Number((token as readonly unknown[])[1]));
      return {
        trims: false,
        added: (pair) => (pair ? 3 : 2),
        apply: (texts, adds) =>
          !adds
            ? texts
            : texts.map((text, i) =>
              i === 0
                ? [specialOf([cls as number], 0), ...text, specialOf([sep as number], 0)]
                : [...text, specialOf([sep as number], 1)]
            ),
      };
    }
    case "RobertaProcessing": {
      const [cls, sep] = [definition.cls, definition.sep].map((token) => Number((token as readonly unknown[])[1]));
      return {
        trims,
        added: (pair) => (pair ? 4 : 2),
        apply: (texts, adds) => {
          trim(texts);
          // RoBERTa has only one segment type.
          const typed = texts.map((text) => ofType(text, 0));
          if (!adds) return typed;
          return typed.map((text, i) => [
            specialOf([(i === 0 ? cls : sep) as number], 0),
            ...text,
            specialOf([sep as number], 0),
          ]);
        },
      };
    }
    case "TemplateProcessing":
      return template(definition);
    default:
      throw unsupported("hf", "post_processor.type", definition.type, "the type is unknown");
  }
}

function specialOf(ids: readonly number[], type: number): Stretch {
  return { ids, types: ids.map(() => type), special: true, offsets: ids.flatMap(() => [0, 0]) };
}

function ofType(text: Joined, type: number): Joined {
  return text.map((text) => ({ ...text, types: text.ids.map(() => type) }));
}

type Item = Readonly<{
  SpecialToken?: Readonly<{ id: string; type_id: number }>;
  Sequence?: Readonly<{ id: string; type_id: number }>;
}>;

function template(definition: Definition): PostProcessor {
  const special = definition.special_tokens as Readonly<Record<string, Readonly<{ ids: readonly number[] }>>>;
  const sides = [definition.single, definition.pair] as readonly [readonly Item[], readonly Item[]];
  const idsOf = ({ SpecialToken: token }: Item): readonly number[] => (token ? special[token.id]?.ids ?? [] : []);
  return {
    trims: false,
    added: (pair) => sides[pair ? 1 : 0].reduce((n, item) => n + idsOf(item).length, 0),
    apply: (texts, adds) =>
      sides[texts.length === 2 ? 1 : 0].flatMap((item): readonly Joined[] => {
        if (item.SpecialToken) return adds ? [[specialOf(idsOf(item), item.SpecialToken.type_id)]] : [];
        const text = texts[item.Sequence?.id === "A" ? 0 : 1];
        return text ? [ofType(text, item.Sequence?.type_id ?? 0)] : [];
      }),
  };
}

/**
 * Removes blanks at the ends of tokens from their positions, counted in characters. A blank that was prepended to the
 * text represents its beginning and stays.
 */
function trimmed(joined: Joined, addsBlank: boolean): void {
  let first = true;
  for (const { source, offsets } of joined) {
    for (let i = 0; i < offsets.length; i += 2) {
      if (source) trimOne(source.tokens, source.from + i / 2, offsets, i, first && addsBlank, addsBlank);
      first = false;
    }
  }
}

function trimOne(tokens: Tokens, at: number, offsets: number[], i: number, first: boolean, addsBlank: boolean): void {
  let [front, back] = [tokens.blanks[2 * at] ?? 0, tokens.blanks[2 * at + 1] ?? 0];
  if (front === 0 && back === 0) return;
  const text = tokens.texts[tokens.texts.length > 1 ? tokens.words[at] ?? 0 : 0] ?? "";
  let [start, end] = [offsets[i] as number, offsets[i + 1] as number];
  if ((first || start === 0 && addsBlank) && front === 1) front = 0;
  for (; front > 0 && start < end; front--) start += widthAt(text, start);
  let left = end;
  for (; back > 0 && left > 0; back--) left -= left > 1 && widthAt(text, left - 2) === 2 ? 2 : 1;
  // With fewer characters before it than blanks, the end stays.
  if (back === 0) end = Math.max(left, start);
  offsets[i] = start;
  offsets[i + 1] = end;
}
