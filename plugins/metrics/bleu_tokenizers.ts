/**
 * How BLEU cuts text into tokens: the published rules of mteval-v13a, of mteval-v14's international variant, characters, or
 * blanks alone.
 * @module
 */
import { trimEnd, words } from "./words.ts";

/** Names of the rules, as in sacreBLEU. */
export type BleuTokenizer = "13a" | "intl" | "char" | "none";

const tokenizers: Readonly<Record<BleuTokenizer, (line: string) => string>> = {
  "13a": (line) => {
    let text = line.replaceAll("<skipped>", "").replaceAll("-\n", "").replaceAll("\n", " ");
    text = text.replaceAll("&quot;", '"').replaceAll("&amp;", "&").replaceAll("&lt;", "<").replaceAll("&gt;", ">");
    return ` ${text} `
      .replace(/([{-~[-` -&(-+:-@/])/gu, " $1 ")
      .replace(/([^0-9])([.,])/gu, "$1 $2 ")
      .replace(/([.,])([^0-9])/gu, " $1 $2")
      .replace(/([0-9])(-)/gu, "$1 $2 ");
  },
  intl: (line) =>
    line
      .replace(/(\P{N})(\p{P})/gu, "$1 $2 ")
      .replace(/(\p{P})(\P{N})/gu, " $1 $2")
      .replace(/(\p{S})/gu, " $1 "),
  char: (line) => Array.from(line).join(" "),
  none: (line) => line,
};

/** The tokens of a text. */
export function bleuTokens(text: string, tokenizer: BleuTokenizer, lowercase: boolean): string[] {
  return words(tokenizers[tokenizer](trimEnd(lowercase ? text.toLowerCase() : text)));
}
