/**
 * Building blocks of metrics: counts, means, ranks, words and their states.
 * @module
 */
export * from "./answers.ts";
export * from "./averaging.ts";
export * from "./confusion.ts";
export * from "./counts.ts";
export * from "./curve.ts";
export * from "./edits.ts";
export * from "./entities.ts";
export * from "./mean.ts";
export * from "./moments.ts";
export * from "./porter_stemmer.ts";
export * from "./ranks.ts";
export * from "./scores.ts";
export * from "./tally.ts";
export * from "./words.ts";
export * from "./fairness.ts";
export * from "./groups.ts";
