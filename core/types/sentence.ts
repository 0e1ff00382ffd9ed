/** The modules of a sentence-transformers folder. */

/** How the hidden states of a sequence are pooled into one. */
export type Pooling = "first" | "max" | "mean" | "mean-sqrt-len" | "weighted-mean" | "last";

/** A linear layer after pooling; `path`: the folder of its weights. */
export type SentenceDense = Readonly<{ path: string; outFeatures: number; bias: boolean; activation: string }>;

/** The modules after a folder's transformer, in order, and its settings for texts. */
export type SentenceModules = Readonly<{
  pooling: readonly Pooling[];
  steps: readonly (SentenceDense | "normalize")[];
  prompt: string;
  lowercase: boolean;
  maxLength?: number | undefined;
}>;
