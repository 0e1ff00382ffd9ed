/** The steps of a tokenizer.json: from text to tokens with positions, and from ids to text. */
import { type AddedToken, type AddedTokens, addedTokensOf, type Section } from "./added_tokens.ts";
import { type Aligned, alignedOf, endOf, startOf } from "./text/aligned.ts";
import { decoderOf } from "./decoders.ts";
import { modelOf } from "./models.ts";
import { type Definition, normalizerOf } from "./normalizers.ts";
import { notationsIn } from "./notations.ts";
import type { Vocabulary } from "./piece.ts";
import { type PostProcessor, postProcessorOf } from "./post_processors.ts";
import { preTokenizerOf } from "./pre_tokenizers.ts";
import type { Tokens } from "./tokens.ts";
import { isWhitespace } from "./text/unicode.ts";

export type { Tokens } from "./tokens.ts";

/** The working form of a tokenizer.json. */
export type Pipeline = Readonly<{
  vocabSize: number;
  added: AddedTokens;
  post: PostProcessor;
  idOf(token: string): number | undefined;
  /** Tokenizes a text, or given words: each is tokenized separately, and counts as one word. */
  encode(text: string | readonly string[]): Tokens;
  decode(ids: readonly number[], skipSpecialTokens: boolean): string;
}>;

/** Creates a checked definition's pipeline. `vocabulary`: the model's. `splits`: read special tokens as text. */
export async function pipelineOf(definition: Definition, vocabulary: Vocabulary, splits = false): Promise<Pipeline> {
  const { normalizer, pre_tokenizer: preTokenizer, decoder } = definition as Readonly<
    Record<string, Definition | null>
  >;
  const notations = await notationsIn(normalizer, preTokenizer, decoder);
  const normalize = normalizerOf(normalizer, notations);
  const preTokenize = preTokenizerOf(preTokenizer, notations);
  const model = await modelOf(definition.model as Definition, vocabulary);
  const decode = decoderOf(decoder, notations);
  const post = postProcessorOf(definition.post_processor as Definition | null);
  const added = addedTokensOf(
    (definition.added_tokens ?? []) as readonly AddedToken[],
    normalize,
    (token) => splits && token.special === true,
  );
  const special = new Set([...added.byContent.values()].filter((token) => token.special).map((token) => token.content));
  let last = vocabulary.names.length - 1;
  for (const { id } of added.byContent.values()) last = Math.max(last, id);
  const nameOf = (id: number): string | undefined => vocabulary.names[id];

  const into = (out: Tokens, text: string, offset: number): void => {
    let word = Math.max(offset, 0);
    const push = (id: number, place: Aligned, start: number, end: number, read: string): void => {
      out.ids.push(id);
      out.starts.push(startOf(place, start));
      out.ends.push(endOf(place, end));
      out.words.push(word);
      if (post.trims) out.blanks.push(...blanksOf(read));
    };
    const pushAll = (piece: Aligned): void => {
      const { ids, starts, ends } = model.tokenize(piece.text);
      for (let i = 0; i < ids.length; i++) {
        const id = ids[i] as number;
        const [start, end] = [starts[i] as number, ends[i] as number];
        const isText = id === model.unknownIsText;
        push(id, piece, start, end, !post.trims ? "" : isText ? piece.text.slice(start, end) : nameOf(id) ?? "");
      }
    };
    const each = ({ text: section, token }: Section, otherwise: (text: Aligned) => void): void => {
      if (!token) return otherwise(section);
      push(token.id, section, 0, section.text.length, section.text);
      if (offset < 0) word++;
    };
    for (const section of added.split(alignedOf(text))) {
      each(section, (own) => {
        for (const part of added.splitNormalized(normalize(own))) {
          each(part, (rest) => {
            for (const piece of preTokenize(rest)) {
              if (piece.text === "") continue;
              pushAll(piece);
              if (offset < 0) word++;
            }
          });
        }
      });
    }
  };
  return {
    vocabSize: last + 1,
    added,
    post,
    idOf: (token) => added.byContent.get(token)?.id ?? vocabulary.ids.get(token),
    encode: (text) => {
      const out: Tokens = {
        ids: [],
        starts: [],
        ends: [],
        words: [],
        blanks: [],
        texts: typeof text === "string" ? [text] : text,
      };
      if (typeof text === "string") into(out, text, -1);
      else text.forEach((word, i) => into(out, word, i));
      return out;
    },
    decode: (ids, skips) => {
      const tokens: string[] = [];
      for (const id of ids) {
        const token = added.contentOf(id) ?? nameOf(id);
        if (token !== undefined && !(skips && special.has(token))) tokens.push(token);
      }
      return decode(tokens);
    },
  };
}

/** Returns how many blanks a token begins and ends with; byte-level blanks are a letter. */
function blanksOf(token: string): [number, number] {
  const isBlank = (i: number): boolean => token[i] === "Ġ" || isWhitespace(token.charCodeAt(i));
  let [front, back] = [0, 0];
  while (front < token.length && isBlank(front)) front++;
  while (back < token.length && isBlank(token.length - 1 - back)) back++;
  return [front, back];
}
