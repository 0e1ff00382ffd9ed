/** Masking: which tokens are chosen, and what replaces them. */
import { missing } from "../../core/base/errors.ts";
import type { CollatorContext, Encoding, Field, Random } from "../../core/types.ts";
import type { MaskedTextOptions } from "../options/mod.ts";

/** The label value that losses ignore. */
export const IGNORE = -100;

/** A tokenized text that can be masked. `words`: the number of each token's word; -1 at special tokens. */
export type Maskable = Readonly<{ ids: Int32Array; words: Int32Array }>;

/** Prepares a text for masking. Continuations (##ing), and tokens without a blank before, belong to their word. */
export function maskableWords({ ids, wordIds, specialTokensMask }: Encoding): Maskable {
  return { ids, words: wordIds.map((word, i) => (specialTokensMask[i] === 1 ? -1 : word)) };
}

/**
 * Masks as BERT does (Devlin et al. 2019): each token, or word, is chosen independently, by random numbers that depend
 * only on its position.
 *
 * @throws AttuneError if the tokenizer has no mask token.
 */
export function maskSample(
  { ids, words }: Maskable,
  random: Random,
  options: Omit<MaskedTextOptions, "columns">,
  { tokenizer }: CollatorContext,
): Readonly<{ inputIds: Int32Array; labels: Int32Array }> {
  const { mask } = tokenizer.specialTokenIds;
  if (mask === undefined) throw missing("masked-lm", "a mask token", "the tokenizer");
  const { mlmProbability, maskReplaceProb, randomReplaceProb, wholeWordMask } = options;
  const inputIds = ids.slice();
  const labels = new Int32Array(ids.length).fill(IGNORE);
  for (let i = 0; i < ids.length; i++) {
    const word = words[i] ?? -1;
    if (word < 0) continue;
    const chosen = random.uniform(3 * (wholeWordMask ? words.indexOf(word) : i)) < mlmProbability;
    if (!chosen) continue;
    labels[i] = ids[i] ?? IGNORE;
    const change = random.uniform(3 * i + 1);
    if (change < maskReplaceProb) inputIds[i] = mask;
    else if (change < maskReplaceProb + randomReplaceProb) {
      inputIds[i] = Math.floor(random.uniform(3 * i + 2) * tokenizer.vocabSize);
    }
  }
  return { inputIds, labels };
}

/** Returns the labels of tokens as a field. */
export function labelField(data: Int32Array): Field {
  return { axis: "token", data, padValue: IGNORE, ignoreIndex: IGNORE };
}
