/**
 * Building blocks of models: their files, from a folder or the hub, as a checkpoint.
 * @module
 */
export * from "./checkpoint.ts";
export * from "./hub.ts";
export * from "./model_files.ts";
