/**
 * Building blocks of tokenizers: truncation and windows, offsets in code points.
 * @module
 */
export * from "./offsets.ts";
export * from "./truncate.ts";
