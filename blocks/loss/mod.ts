/**
 * Building blocks of losses: the divisor of a mean.
 * @module
 */
export * from "./reduction.ts";
