/**
 * Building blocks of tasks: classification, readings of classes and tokens, generation, and sentence embeddings.
 * @module
 */
export * from "./classification_task.ts";
export * from "./generation.ts";
export * from "./labels_of_rows.ts";
export * from "./sentences.ts";
export * from "./seq2seq_task.ts";
export * from "./token_readings.ts";
export * from "./vectors.ts";
