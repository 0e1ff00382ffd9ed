/**
 * What schedules are made of: warm-up.
 * @module
 */
export * from "./warmup.ts";
