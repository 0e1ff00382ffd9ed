/**
 * Hugging Face tokenizers: tokenizer.json, as the library `tokenizers` reads it, with offsets, words, truncation that
 * keeps special tokens, and windows.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import type { NewToken } from "./new_tokens.ts";

/** Options of {@link hf}. */
export interface HfOptions {
  /** The padding side, instead of the checkpoint's. */
  readonly paddingSide: "left" | "right" | null;
  /** The maximum length in tokens, instead of the checkpoint's. */
  readonly modelMaxLength: number | null;
  /**
   * Tokens to add: strings, or `{ content, special, singleWord, lstrip, rstrip, normalized }`. The model's embedding
   * tables grow accordingly.
   */
  readonly addTokens: readonly NewToken[];
}

const flag = v.optional(v.boolean());
const newToken = v.union([
  v.pipe(v.string(), v.minLength(1), v.maxLength(1024)),
  v.strictObject({
    content: v.pipe(v.string(), v.minLength(1), v.maxLength(1024)),
    special: flag,
    singleWord: flag,
    lstrip: flag,
    rstrip: flag,
    normalized: flag,
  }),
]);

/** Schema of {@link HfOptions}. */
export const hfSchema: v.GenericSchema<Partial<HfOptions>, HfOptions> = v.strictObject({
  paddingSide: v.optional(v.nullable(v.picklist(["left", "right"])), null),
  modelMaxLength: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1))), null),
  addTokens: v.optional(v.pipe(v.array(newToken), v.maxLength(100_000)), []),
});

/**
 * The tokenizer of a checkpoint, opened like AutoTokenizer: from tokenizer.json or vocabulary files (vocab.txt,
 * vocab.json and merges.txt, SentencePiece's), tokenizer_config.json, special_tokens_map.json, added_tokens.json and the
 * tokenizer's class.
 *
 * @throws AttuneError from `open` where tokenizer.json is missing or broken.
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
    // What reads tokenizers is loaded with the first of them.
    open: async (files) => await (await import("./open_tokenizer.ts")).openTokenizer(files, options),
  }),
});

/** Offsets in code points, as Python counts them, from UTF-16 units. */
export function codePointOffsets(text: string, offsets: ArrayLike<number>): Int32Array {
  const points = new Int32Array(text.length + 1);
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    points[i] = count;
    const code = text.charCodeAt(i);
    // The second half of a pair belongs to the same code point.
    if (code < 0xdc00 || code > 0xdfff) count++;
    else points[i] = count - 1;
  }
  points[text.length] = count;
  return Int32Array.from({ length: offsets.length }, (_, i) => {
    const at = offsets[i] ?? 0;
    const low = text.charCodeAt(at);
    return (points[at] ?? 0) + (i % 2 === 1 && low >= 0xdc00 && low <= 0xdfff ? 1 : 0);
  });
}
