/**
 * Building blocks of searches: common options, and values drawn from a search space.
 * @module
 */
export * from "./options.ts";
export * from "./ranges.ts";
