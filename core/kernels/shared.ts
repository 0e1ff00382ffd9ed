/**
 * What both forms of the kernels share.
 * @module
 */

/** Kernels that draw dropout masks: values 0 or 1/(1-p) that depend on (key, site, sequence, position, column) alone. */
export interface DropoutKernels {
  /** `out` [n, width]; `places`: n pairs (sequence, position), -1 for padding, whose row gets ones. */
  dropoutRows(
    out: Float32Array,
    places: Int32Array,
    width: number,
    p: number,
    key: readonly [number, number],
    site: number,
  ): void;
  /**
   * `out` [batch, heads, queries, keys], `queryPlaces` batch·queries pairs, `keyPlaces` batch·keys pairs. Only keys of a
   * query's own sequence are written: elsewhere attention is zero anyway.
   */
  dropoutAttention(
    out: Float32Array,
    queryPlaces: Int32Array,
    keyPlaces: Int32Array,
    heads: number,
    queries: number,
    keys: number,
    p: number,
    key: readonly [number, number],
    site: number,
  ): void;
}

/** The threshold that 16 random bits are held against: below it a value is dropped. */
export function dropThreshold(p: number): number {
  return Math.round(p * 65536);
}

/** Adam's bias corrections as two factors: of the step, and of √v. */
export function adamRates(
  o: Readonly<{ step: number; learningRate: number; beta1: number; beta2: number }>,
): { rate: number; root: number } {
  return { rate: o.learningRate / (1 - o.beta1 ** o.step), root: 1 / Math.sqrt(1 - o.beta2 ** o.step) };
}
