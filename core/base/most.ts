/**
 * The largest values that options and configs may have. What is beyond them is a mistake or an attack, and is refused by
 * the schema that reads it, before anything of that size is made.
 */

/** Largest values, by what they count. */
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
  /** Places of one batch, padding counted. */
  places: 16_777_216,
  /** Tokens of a prompt that is learned, of a target, of a window. */
  tokens: 1_000_000,
} as const;
