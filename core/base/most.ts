/**
 * The largest values that options and configs may have. Anything larger is a mistake or an attack, and the schema that
 * reads it refuses it before anything of that size is allocated.
 */

/** The largest value of each quantity. */
export const most = {
  /** Classes of a head. */
  labels: 100_000,
  /** Ranks of low-rank updates. */
  rank: 16_384,
  /** Values of a hidden vector. */
  width: 1_000_000,
  /** Layers of a model. */
  layers: 1024,
  /** Rows of one batch. */
  batch: 65_536,
  /** Places of one batch, including padding. */
  places: 16_777_216,
  /** Tokens of a learned prompt, a target or a window. */
  tokens: 1_000_000,
} as const;
