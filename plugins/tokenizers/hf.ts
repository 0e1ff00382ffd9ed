/**
 * Hugging Face tokenizers: tokenizer.json, as the library `tokenizers` reads it, with offsets, words, truncation that
 * keeps special tokens, and windows.
 * @module
 */
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { type HfOptions, hfSchema } from "./hf/options.ts";

export { type HfOptions, hfSchema } from "./hf/options.ts";

/**
 * The tokenizer of a checkpoint, opened like AutoTokenizer: from tokenizer.json or vocabulary files (vocab.txt,
 * vocab.json and merges.txt, SentencePiece's), tokenizer_config.json, special_tokens_map.json, added_tokens.json and the
 * tokenizer's class.
 *
 * @throws AttuneError from `open` if tokenizer.json is missing or broken.
 * @example
 * ```ts
 * import { hf } from "attune/tokenizers/hf";
 * console.assert(hf({ paddingSide: "left" }).name === "hf");
 * ```
 */
export const hf: Factory<"tokenizer", Partial<HfOptions>> = define({
  kind: "tokenizer",
  name: "hf",
  schema: hfSchema,
  create: (options) => ({
    // The tokenizer implementation is loaded on first use.
    open: async (files) => await (await import("./hf/open_tokenizer.ts")).openTokenizer(files, options),
  }),
});
