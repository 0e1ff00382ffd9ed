/**
 * Building blocks of losses: sums and the divisors of means, with the weights of rows.
 * @module
 */
export * from "./reduction.ts";
