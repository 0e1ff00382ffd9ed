/**
 * Building blocks of heads: pooling, the layers that a family describes, logits over the vocabulary.
 * @module
 */
export * from "./language.ts";
export * from "./pooling.ts";
export * from "./style.ts";
