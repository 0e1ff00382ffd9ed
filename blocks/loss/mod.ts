/**
 * What losses are made of: what a mean is over.
 * @module
 */
export * from "./reduction.ts";
