/**
 * Building blocks of collators: columns read with errors that name them, masks and spans.
 * @module
 */
export * from "./columns.ts";
export * from "./masking.ts";
export * from "./spans.ts";
