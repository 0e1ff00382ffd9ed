/**
 * Building blocks of optimizers: common options, weight decay, parameter groups, Adam's options, steps weight by weight.
 * @module
 */
export * from "./common.ts";
export * from "./elementwise.ts";
export * from "./fused_adam.ts";
