/** Options of generated text. */

/** How text is generated, as far as Hugging Face's GenerationConfig is built here, in camelCase. */
export type GenerationConfig = Readonly<{
  maxNewTokens: number;
  minNewTokens: number;
  doSample: boolean;
  temperature: number;
  /** The tokens that may be drawn: the most likely so many; 0: all. */
  topK: number;
  /** The tokens that may be drawn: the most likely that together reach this probability. */
  topP: number;
  /** The tokens that may be drawn: those at least so likely as this part of the likeliest one's probability. */
  minP?: number;
  /** The tokens that may be drawn: the most likely whose entropy together stays below this part of all. */
  topH?: number;
  /** The tokens that may be drawn: those nearest to the expected surprise that together reach this probability. */
  typicalP?: number;
  /** Tokens less likely than this are not drawn. */
  epsilonCutoff?: number;
  /** Tokens less likely than this, or than what the entropy makes of it, are not drawn. */
  etaCutoff?: number;
  /** The longest text and the shortest, with its prompt; where `maxNewTokens` or `minNewTokens` is not said. */
  maxLength?: number;
  minLength?: number;
  /** Tokens that never come, and those that never come first. */
  suppressTokens?: readonly number[];
  beginSuppressTokens?: readonly number[];
  /** Sequences of tokens that never come. */
  badWordsIds?: readonly (readonly number[])[];
  /** Biases added to the score of a token where it completes a sequence. */
  sequenceBias?: readonly (readonly [readonly number[], number])[];
  /** From so many new tokens on the end becomes likelier, by this factor to the power of those behind. */
  exponentialDecayLengthPenalty?: readonly [number, number];
  /** Above 1 tokens of the source are likelier. */
  encoderRepetitionPenalty?: number;
  /** No so many tokens on end come that stand in the source. */
  encoderNoRepeatNgramSize?: number;
  /** Whether processed scores of beams are made to probabilities again. */
  renormalizeLogits?: boolean;
  numBeams: number;
  lengthPenalty: number;
  earlyStopping: boolean | "never";
  /** 0: all may come again. */
  noRepeatNgramSize: number;
  repetitionPenalty: number;
  /** The tokens that end a text; null: the checkpoint's. */
  eosTokenId: number | readonly number[] | null;
  seed: number;
}>;
