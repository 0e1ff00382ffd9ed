/**
 * Building blocks of pruners: percentiles of what other trials reported, and rungs that only the best pass.
 * @module
 */
export * from "./percentile.ts";
export * from "./rungs.ts";
