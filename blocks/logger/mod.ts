/**
 * Building blocks of loggers: lines, when they are due, and how they are written.
 * @module
 */
export * from "./append_queue.ts";
export * from "./line_log.ts";
export * from "./logging_interval.ts";
export * from "./step_meter.ts";
