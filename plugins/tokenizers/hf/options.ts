/** Options of Hugging Face tokenizers. */
import * as v from "valibot";
import type { NewToken } from "./new_tokens.ts";

/** Options of `hf`. */
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
