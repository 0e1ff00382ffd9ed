/** A model's vocabulary, and the tokens of a piece of text. */
import { badFile } from "../../../core/base/errors.ts";

/** The tokens of a piece: ids, and positions in the piece in UTF-16 units. */
export type Piece = Readonly<{ ids: readonly number[]; starts: readonly number[]; ends: readonly number[] }>;

/** A model's tokens: the id of each, and the token of each id. */
export type Vocabulary = Readonly<{ ids: ReadonlyMap<string, number>; names: readonly (string | undefined)[] }>;

/** Returns the error for a text without any token. */
export function noUnknown(text: string): Error {
  return badFile(
    "hf",
    "tokenizer.json",
    `has no unknown token, and ${JSON.stringify(text.slice(0, 20))} is not in its vocabulary`,
  );
}
