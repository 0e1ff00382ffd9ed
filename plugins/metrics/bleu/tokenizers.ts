/**
 * BLEU's tokenizers: the published rules of mteval-v13a, of mteval-v14's international variant, of separate Chinese
 * characters, of characters, or only of blanks.
 */
import { trim, trimEnd, words } from "../../../blocks/metric/mod.ts";

/** Names of the rules, as in sacreBLEU. */
export type BleuTokenizer = "13a" | "intl" | "zh" | "char" | "none";

/** Separates punctuation from words, and from numbers if it is not a part of them. */
function western(text: string): string {
  return text
    .replace(/([{-~[-` -&(-+:-@/])/gu, " $1 ")
    .replace(/([^0-9])([.,])/gu, "$1 $2 ")
    .replace(/([.,])([^0-9])/gu, " $1 $2")
    .replace(/([0-9])(-)/gu, "$1 $2 ");
}

/** The characters that sacreBLEU treats as Chinese. Two of its ranges were meant for higher planes, but miss them. */
const chinese =
  /[\u2001-\u2a6d\u2e80-\u2eff\u2f00-\u2fdf\u2ff0-\u303f\u3100-\u312f\u31a0-\u31bf\u31c0-\u31ef\u3200-\u33ff\u3400-\u4db5\u4e00-\u9fbb\uf900-\ufa2d\ufa30-\ufa6a\ufa70-\ufad9\ufe10-\ufe1f\ufe30-\ufe4f\uff00-\uffef]/gu;

const tokenizers: Readonly<Record<BleuTokenizer, (line: string) => string>> = {
  "13a": (line) => {
    let text = line.replaceAll("<skipped>", "").replaceAll("-\n", "").replaceAll("\n", " ");
    text = text.replaceAll("&quot;", '"').replaceAll("&amp;", "&").replaceAll("&lt;", "<").replaceAll("&gt;", ">");
    return western(` ${text} `);
  },
  zh: (line) => western(trim(line).replace(chinese, " $& ")),
  intl: (line) =>
    line
      .replace(/(\P{N})(\p{P})/gu, "$1 $2 ")
      .replace(/(\p{P})(\P{N})/gu, " $1 $2")
      .replace(/(\p{S})/gu, " $1 "),
  char: (line) => Array.from(line).join(" "),
  none: (line) => line,
};

/** Returns the tokens of a text. */
export function bleuTokens(text: string, tokenizer: BleuTokenizer, lowercase: boolean): string[] {
  return words(tokenizers[tokenizer](trimEnd(lowercase ? text.toLowerCase() : text)));
}
