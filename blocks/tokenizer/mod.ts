/**
 * Building blocks of tokenizers: truncation, windows, and offsets in code points.
 * @module
 */
export * from "./offsets.ts";
export * from "./truncate.ts";
