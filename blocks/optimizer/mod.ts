/**
 * Building blocks of optimizers: common options, weight decay, parameter groups.
 * @module
 */
export * from "./common.ts";
