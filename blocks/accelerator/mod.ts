/**
 * Building blocks of accelerators: quantizers, 16-bit weight storage, matrix products in half precision.
 * @module
 */
export * from "./autocast.ts";
export * from "./four_bit.ts";
export * from "./half_storage.ts";
export * from "./quantizer.ts";
