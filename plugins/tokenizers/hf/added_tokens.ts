/** Added tokens, which are matched in a text verbatim, before the model sees the rest. */
import { type Aligned, alignedOf, sliceAligned } from "./text/aligned.ts";
import type { Normalizer } from "./normalizers.ts";
import { prefixesOf } from "./prefixes.ts";
import { isWhitespace, isWord } from "./text/unicode.ts";

/** An added token as in tokenizer.json. */
export type AddedToken = Readonly<{
  id: number;
  content: string;
  single_word?: boolean;
  lstrip?: boolean;
  rstrip?: boolean;
  normalized?: boolean;
  special?: boolean;
}>;

/** A section of a text: an added token, or text for the model. */
export type Section = Readonly<{ text: Aligned; token: AddedToken | undefined }>;

/** The added tokens of a tokenizer. */
export type AddedTokens = Readonly<{
  byContent: ReadonlyMap<string, AddedToken>;
  /** Returns the content of a token's id, normalized if it is matched in normalized texts. */
  contentOf(id: number): string | undefined;
  /** Splits an original text. */
  split(text: Aligned): readonly Section[];
  /** Splits a normalized text. */
  splitNormalized(text: Aligned): readonly Section[];
}>;

/** Returns a definition's added tokens. `normalize`: normalizes texts. `ignores`: which tokens are read as text. */
export function addedTokensOf(
  tokens: readonly AddedToken[],
  normalize: Normalizer,
  ignores: (token: AddedToken) => boolean = () => false,
): AddedTokens {
  const byContent = new Map(tokens.map((token) => [token.content, token]));
  const list = [...byContent.values()];
  const contents = new Map(list.map((token) => [
    token.id,
    token.normalized ? normalize(alignedOf(token.content)).text : token.content,
  ]));
  const splitter = (normalized: boolean): (text: Aligned) => readonly Section[] => {
    const tokens = list.filter((token) => (token.normalized === true) === normalized && contents.get(token.id) !== "");
    if (tokens.length === 0) {
      return (text) => (text.text === "" ? [] : [{ text: sliceAligned(text, 0, text.text.length), token: undefined }]);
    }
    const tree = prefixesOf(tokens.map((token, i) => [contents.get(token.id) ?? "", i]));
    const begins = new Set(tokens.map((token) => contents.get(token.id)?.charCodeAt(0)));
    return (text) => {
      const string = text.text;
      const sections: Section[] = [];
      let done = 0;
      const add = (start: number, end: number, token?: AddedToken): void => {
        if (end > start) sections.push({ text: sliceAligned(text, start, end), token });
      };
      for (let at = 0; at < string.length;) {
        const match = begins.has(string.charCodeAt(at)) ? tree.longest(string, at) : undefined;
        if (!match) {
          at++;
          continue;
        }
        const token = tokens[match[1]] as AddedToken;
        let [start, end] = [at, match[0]];
        at = end;
        if (ignores(token) || token.single_word && !standsAlone(string, start, end)) continue;
        // Blanks next to the token, without those that the previous token took. Each is a single UTF-16 unit.
        while (token.lstrip && start > done && isWhitespace(string.charCodeAt(start - 1))) start--;
        if (token.lstrip) start = Math.max(start, done);
        while (token.rstrip && end < string.length && isWhitespace(string.charCodeAt(end))) end++;
        add(done, start);
        add(start, end, token);
        done = end;
      }
      add(done, string.length);
      return sections;
    };
  };
  return { byContent, contentOf: (id) => contents.get(id), split: splitter(false), splitNormalized: splitter(true) };
}

function standsAlone(text: string, start: number, end: number): boolean {
  const low = text.charCodeAt(start - 1);
  const before = start === 0 ? 0x20 : text.codePointAt(low >= 0xdc00 && low <= 0xdfff ? start - 2 : start - 1) ?? 0x20;
  return !isWord(before) && (end === text.length || !isWord(text.codePointAt(end) ?? 0x20));
}
