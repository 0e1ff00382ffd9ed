/**
 * Building blocks of transforms.
 * @module
 */
export * from "./each_row.ts";
