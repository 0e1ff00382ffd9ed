/**
 * What data sets are made of: rows in memory, files of text.
 * @module
 */
export * from "./rows.ts";
export * from "./text_file.ts";
