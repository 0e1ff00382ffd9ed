/** Options of generated text. */

/** How text is generated: the implemented part of Hugging Face's GenerationConfig, in camelCase. */
export type GenerationConfig = Readonly<{
  maxNewTokens: number;
  minNewTokens: number;
  doSample: boolean;
  temperature: number;
  /** Samples from this many most likely tokens; 0: from all. */
  topK: number;
  /** Samples from the most likely tokens that together reach this probability. */
  topP: number;
  /** Samples from tokens whose probability is at least this fraction of the likeliest one's. */
  minP?: number;
  /** Samples from the most likely tokens whose joint entropy stays below this fraction of the total. */
  topH?: number;
  /** Samples from the tokens closest to the expected surprisal that together reach this probability. */
  typicalP?: number;
  /** Tokens less likely than this are not sampled. */
  epsilonCutoff?: number;
  /** Tokens less likely than this, or than a threshold computed from it and the entropy, are not sampled. */
  etaCutoff?: number;
  /** The longest and shortest text including its prompt; used if `maxNewTokens` or `minNewTokens` is not set. */
  maxLength?: number;
  minLength?: number;
  /** Tokens that are never generated, and those that are never generated first. */
  suppressTokens?: readonly number[];
  beginSuppressTokens?: readonly number[];
  /** Sequences of tokens that are never generated. */
  badWordsIds?: readonly (readonly number[])[];
  /** Biases added to the score of a token that completes a sequence. */
  sequenceBias?: readonly (readonly [readonly number[], number])[];
  /** [start, factor]: after `start` new tokens, the end gets likelier by factor to the power of the further tokens. */
  exponentialDecayLengthPenalty?: readonly [number, number];
  /** Above 1, tokens of the source are more likely. */
  encoderRepetitionPenalty?: number;
  /** The length of token sequences of the source that are never repeated. */
  encoderNoRepeatNgramSize?: number;
  /** Whether processed scores of beams are normalized again. */
  renormalizeLogits?: boolean;
  numBeams: number;
  lengthPenalty: number;
  earlyStopping: boolean | "never";
  /** The length of token sequences that are never repeated; 0: no limit. */
  noRepeatNgramSize: number;
  repetitionPenalty: number;
  /** The tokens that end a text; null: the checkpoint's. */
  eosTokenId: number | readonly number[] | null;
  seed: number;
}>;
