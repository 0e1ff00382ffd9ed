/**
 * Building blocks of tasks: classes and tokens, what is read from both, generation, and vectors of sentences.
 * @module
 */
export * from "./classification_task.ts";
export * from "./generation.ts";
export * from "./labels_of_rows.ts";
export * from "./sentences.ts";
export * from "./seq2seq_task.ts";
export * from "./token_readings.ts";
export * from "./vectors.ts";
