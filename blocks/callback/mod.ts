/**
 * What callbacks are made of: the metric that they judge by.
 * @module
 */
export * from "./judged_metric.ts";
