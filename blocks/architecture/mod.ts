/**
 * Building blocks of model families: decoders and encoders defined by their differences, and parts for other families.
 * @module
 */
export * from "./classification_head.ts";
export * from "./config.ts";
export * from "./decoder.ts";
export * from "./define_decoder.ts";
export * from "./define_encoder.ts";
export * from "./encoder.ts";
export * from "./encoder_heads.ts";
export * from "./feed_forward.ts";
export * from "./layer_kinds.ts";
export * from "./define_architecture.ts";
export * from "./norms.ts";
export * from "./relative.ts";
export * from "./rotary.ts";
export * from "./summary.ts";
