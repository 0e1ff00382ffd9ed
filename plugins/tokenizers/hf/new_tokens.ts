/** Tokens that a spec adds to a tokenizer, like transformers' `add_tokens`. */
import { badValue } from "../../../core/base/errors.ts";
import type { Named } from "../../../core/types.ts";
import type { AddedToken } from "./added_tokens.ts";

/** A token to add: a text, perhaps with flags for matching it. */
export type NewToken =
  | string
  | Readonly<{
    content: string;
    special?: boolean | undefined;
    singleWord?: boolean | undefined;
    lstrip?: boolean | undefined;
    rstrip?: boolean | undefined;
    normalized?: boolean | undefined;
  }>;

/** Adds tokens to a definition; those in the vocabulary keep their id, others get ids after all existing ones. */
export function withNewTokens(
  definition: Named<unknown>,
  vocabulary: ReadonlyMap<string, number>,
  tokens: readonly NewToken[],
): Named<unknown> {
  if (tokens.length === 0) return definition;
  const there = (Array.isArray(definition.added_tokens) ? definition.added_tokens : []) as readonly AddedToken[];
  const added = new Map(there.map((token) => [token.content, token]));
  const last = (ids: Iterable<number>): number => [...ids].reduce((most, id) => Math.max(most, id), -1);
  let next = 1 + Math.max(last(vocabulary.values()), last(there.map(({ id }) => id)));
  for (const [i, token] of tokens.entries()) {
    const entry = typeof token === "string" ? { content: token } : token;
    const { content, special = false, normalized = !special } = entry;
    if (content === "") throw badValue("hf", `tokenizer.with.addTokens.${i}`, content, "a text");
    const id = added.get(content)?.id ?? vocabulary.get(content) ?? next++;
    const { singleWord = false, lstrip = false, rstrip = false } = entry as Exclude<NewToken, string>;
    added.set(content, { id, content, single_word: singleWord, lstrip, rstrip, normalized, special });
  }
  return { ...definition, added_tokens: [...added.values()].sort((a, b) => a.id - b.id) };
}
