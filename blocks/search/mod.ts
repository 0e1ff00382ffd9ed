/**
 * Building blocks of searches: the options that every one has, and values drawn from a space.
 * @module
 */
export * from "./options.ts";
export * from "./ranges.ts";
