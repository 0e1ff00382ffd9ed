/**
 * Building blocks of datasets: rows in memory, text files.
 * @module
 */
export * from "./rows.ts";
export * from "./text_file.ts";
