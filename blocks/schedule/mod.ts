/**
 * Building blocks of schedules: warm-up.
 * @module
 */
export * from "./warmup.ts";
