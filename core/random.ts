/**
 * Counter-based random numbers (placeholder types; see createRandom).
 * @module
 */

/** Counter-based: the same (seed, path, index), the same bits everywhere; nothing advances. */
export interface Random {
  /** An independent stream for a purpose: `random.fork("dropout", step)`. */
  fork(...path: readonly (string | number)[]): Random;
  /** 32 random bits as an unsigned integer. */
  bits(index: number): number;
  /** Uniform in [0, 1). */
  uniform(index: number): number;
  /** Standard normal. */
  normal(index: number): number;
  /** The 64-bit key of this stream, as two unsigned 32-bit halves: what kernels are given. */
  readonly key: readonly [number, number];
}
