/**
 * Quantized weights: the codes of other libraries, and the formats in which sessions keep them.
 * @module
 */
export * from "./bitsandbytes.ts";
export * from "./code_blocks.ts";
export * from "./gguf_blocks.ts";
export * from "./linear_blocks.ts";
export * from "./linear_quantizer.ts";
export * from "./nested_scales.ts";
export * from "./output_int8.ts";
export * from "./rounded_products.ts";
export * from "./pooled_inputs.ts";
