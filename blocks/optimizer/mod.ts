/**
 * Building blocks of optimizers: common options, weight decay, parameter groups, Adam's options, elementwise updates.
 * @module
 */
export * from "./common.ts";
export * from "./elementwise.ts";
export * from "./fused_adam.ts";
