/**
 * Building blocks of datasets: rows in memory, text files.
 * @module
 */
export * from "./compose.ts";
export * from "./counts.ts";
export * from "./features.ts";
export * from "./file_digest.ts";
export * from "./files.ts";
export * from "./files_options.ts";
export * from "./line_rows.ts";
export * from "./plain_values.ts";
export * from "./rows.ts";
export * from "./slices.ts";
export * from "./splits.ts";
export * from "./streamed_records.ts";
export * from "./text_file.ts";
export * from "./text_rows.ts";
export * from "./unpacked.ts";
