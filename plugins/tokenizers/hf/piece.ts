/** The tokens that models know, and what they make of a piece of text. */
import { badFile } from "../../../core/base/errors.ts";

/** Tokens of a piece: their ids, and where they stand in it, in UTF-16 units. */
export type Piece = Readonly<{ ids: readonly number[]; starts: readonly number[]; ends: readonly number[] }>;

/** The tokens of a model: the id of each, and the token of each id that has one. */
export type Vocabulary = Readonly<{ ids: ReadonlyMap<string, number>; names: readonly (string | undefined)[] }>;

/** The error of a text that a model has no token for. */
export function noUnknown(text: string): Error {
  return badFile(
    "hf",
    "tokenizer.json",
    `has no unknown token, and ${JSON.stringify(text.slice(0, 20))} is not in its vocabulary`,
  );
}
