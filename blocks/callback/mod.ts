/**
 * Building blocks of callbacks: the metric by which they compare evaluations.
 * @module
 */
export * from "./judged_metric.ts";
