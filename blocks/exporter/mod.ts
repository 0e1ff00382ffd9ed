/**
 * Building blocks of exporters: the files of sentence-transformers.
 * @module
 */
export * from "./sentence_files.ts";
