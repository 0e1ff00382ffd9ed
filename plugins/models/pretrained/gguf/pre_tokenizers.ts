/**
 * llama.cpp's pre-tokenizers by their names in GGUF files, as steps of tokenizer.json: a sequence of expressions, each
 * of which splits the pieces left by the previous one.
 */
import { unsupported } from "../../../../core/base/errors.ts";
import type { Json, Named } from "../../../../core/types.ts";

/** A pre-tokenizer, and what its name implies for the vocabulary. */
export type PreTokenizer = Readonly<{
  steps: Named<Json>;
  /** Whether a piece that is a token is not split, whatever the merges say. */
  ignoresMerges: boolean;
  /** Whether texts begin with the BOS token unless a file says otherwise. */
  addsBos: boolean;
}>;

const bytes = (regex: boolean): Named<Json> => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: regex,
});
const split = (pattern: string): Named<Json> => ({
  type: "Split",
  pattern: { Regex: pattern },
  behavior: "Isolated",
  invert: false,
});
const steps = (...pretokenizers: Named<Json>[]): Named<Json> => ({ type: "Sequence", pretokenizers });
/** Steps for several expressions, followed by GPT-2's. */
const gpt2After = (...patterns: string[]): Named<Json> => steps(...patterns.map(split), bytes(true));
const by = (...patterns: string[]): Named<Json> => steps(...patterns.map(split), bytes(false));

const short = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";
const blanks = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const word = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
const marks = " ?[^\\s\\p{L}\\p{N}]+";
/** Words with an optional preceding character, numbers, and punctuation with following line ends. */
const modern = (numbers: string): string => `${short}|${word}|${numbers}|${marks}[\\r\\n]*|${blanks}`;
/** Capitals and small letters; letters beyond ASCII match both. */
const [capital, small] = ["(?:(?=\\p{L})[^a-z])", "(?:(?=\\p{L})[^A-Z])"];
const cased = (numbers: string, behind: string): string => {
  const sign = "[^\\r\\n\\p{L}\\p{N}]?";
  return `${sign}${capital}*${small}+${behind}|${sign}${capital}+${small}*${behind}|${numbers}|${marks}[\\r\\n/]*|${blanks}`;
};
const ascii = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~]";
const kana = "[一-龥぀-ゟ゠-ヿ]+";
const finnish = " ?[^(\\s|.,!?…。，、।۔،)]+";

/** Steps shared by several names. */
const plain = gpt2After();
const digits = gpt2After("\\p{N}");
const llama3 = by(modern("\\p{N}{1,3}"));
const qwen2 = by(modern("\\p{N}"));
const deepseek3 = by(
  "\\p{N}{1,3}",
  kana,
  `${ascii}[A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|${blanks}`,
);
const gpt4o = by(cased("\\p{N}{1,3}", `${short}?`));
const bailing = by(
  `'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|${word}|\\p{N}|${marks}[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+`,
);

/** Steps with all of their names. */
const groups: readonly (readonly [names: string, steps: Named<Json>])[] = [
  ["default", by("[\\p{P}$+<=>^~|]+", gpt2, "\\p{N}+", "[0-9][0-9][0-9]")],
  [
    "gpt-2 phi-2 jina-es jina-de gigachat jina-v1-en jina-v2-es jina-v2-de jina-v2-code roberta-bpe a.x-4.0 mellum modern-bert mpt olmo jais trillion granite-docling exaone4",
    plain,
  ],
  ["smollm starcoder refact command-r codeshell exaone minerva-7b mellum2", digits],
  [
    "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano dbrx smaug-bpe glm4 chatglm-bpe",
    llama3,
  ],
  ["qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open grok-2", qwen2],
  [
    "qwen35",
    by(`${short}|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${blanks}`),
  ],
  ["falcon", by("[\\p{P}$+<=>^~|`]+", gpt2, "[0-9][0-9][0-9]")],
  ["deepseek-v3 hunyuan-dense joyai-llm hy_v4", deepseek3],
  ["deepseek-coder", by("[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "(?:(?!\\s)[一-龥ࠀ-一가-퟿])+", "\\p{N}")],
  ["gpt-4o llama4 kanana2 talkie minimax-m2", gpt4o],
  ["tekken", by(cased("\\p{N}", ""))],
  ["poro-chat bloom gpt3-finnish", by(finnish)],
  ["viking", by(finnish, "\\p{N}")],
  ["bailingmoe bailingmoe2 llada-moe", bailing],
  ["seed-coder", by(`${short}|${word}|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|${blanks}`)],
];

/** Names whose pieces are not split if they are tokens; and names whose texts begin with BOS. */
const ignoring = new Set(
  "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano tekken".split(" "),
);

const preTokenizers: ReadonlyMap<string, Named<Json>> = new Map(
  groups.flatMap(([names, own]) => names.split(" ").map((name) => [name, own] as const)),
);

/** Returns a file's pre-tokenizer, llama.cpp's default if it names none. Throws AttuneError for an unknown name. */
export function preTokenizerNamed(name: Json | undefined): PreTokenizer {
  const preTokenizer = name ?? "default";
  const known = typeof preTokenizer === "string" ? preTokenizers.get(preTokenizer) : undefined;
  if (!known) {
    const allowed = `supported: ${[...preTokenizers.keys()].join(", ")}`;
    throw unsupported("pretrained", "tokenizer.ggml.pre", preTokenizer, allowed);
  }
  const ignores = ignoring.has(String(preTokenizer));
  return { steps: known, ignoresMerges: ignores, addsBos: ignores };
}

/** The decoder of byte-level tokens. */
export const byteDecoder: Named<Json> = bytes(true);
