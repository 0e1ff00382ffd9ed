/**
 * Building blocks of callbacks: the metric that they judge by.
 * @module
 */
export * from "./judged_metric.ts";
