/**
 * Building blocks of pruners: percentiles of other trials' values, and rungs that only the best trials pass.
 * @module
 */
export * from "./percentile.ts";
export * from "./rungs.ts";
