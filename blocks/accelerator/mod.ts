/**
 * Building blocks of accelerators: quantizers, weights in half the bits, products in half precision.
 * @module
 */
export * from "./autocast.ts";
export * from "./four_bit.ts";
export * from "./half_storage.ts";
export * from "./quantizer.ts";
