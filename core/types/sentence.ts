/** A sentence-transformers folder's modules. */

/** How a sequence's states become one. */
export type Pooling = "first" | "max" | "mean" | "mean-sqrt-len" | "weighted-mean" | "last";

/** A linear layer behind pooling; `path`: its folder, in which its weights lie. */
export type SentenceDense = Readonly<{ path: string; outFeatures: number; bias: boolean; activation: string }>;

/** A folder's modules behind its transformer, in order, and what it says of texts. */
export type SentenceModules = Readonly<{
  pooling: readonly Pooling[];
  steps: readonly (SentenceDense | "normalize")[];
  prompt: string;
  lowercase: boolean;
  maxLength?: number | undefined;
}>;
